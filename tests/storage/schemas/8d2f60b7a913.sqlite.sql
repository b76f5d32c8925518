BEGIN TRANSACTION;
CREATE TABLE accounts (
	id INTEGER NOT NULL, 
	scope VARCHAR(64) NOT NULL, 
	guild_id BIGINT NOT NULL, 
	member_id BIGINT NOT NULL, 
	period VARCHAR(64) NOT NULL, 
	window_start DATETIME NOT NULL, 
	granted_ms BIGINT NOT NULL, 
	reserved_ms BIGINT NOT NULL, 
	used_ms BIGINT NOT NULL, 
	CONSTRAINT pk_accounts PRIMARY KEY (id), 
	CONSTRAINT ck_accounts_period_known CHECK (period IN ('hour', 'day', 'month')), 
	CONSTRAINT ck_accounts_scope_known CHECK (scope IN ('member', 'guild', 'global')), 
	CONSTRAINT ck_accounts_granted_ms_range CHECK (granted_ms BETWEEN 0 AND 1000000000000000), 
	CONSTRAINT ck_accounts_reserved_ms_range CHECK (reserved_ms BETWEEN 0 AND 1000000000000000), 
	CONSTRAINT ck_accounts_used_ms_range CHECK (used_ms BETWEEN 0 AND 1000000000000000), 
	CONSTRAINT uq_accounts_scope_guild_id_member_id_period_window_start UNIQUE (scope, guild_id, member_id, period, window_start)
);
INSERT INTO "accounts" VALUES(1,'member',9007199254741003,9007199254741069,'day','2026-02-02 00:00:00.000000',0,0,100);
INSERT INTO "accounts" VALUES(2,'member',9007199254741003,9007199254741069,'day','2026-03-09 00:00:00.000000',77,200,130);
INSERT INTO "accounts" VALUES(3,'member',9007199254741003,9007199254741069,'hour','2026-03-09 12:00:00.000000',77,200,130);
INSERT INTO "accounts" VALUES(4,'global',0,0,'day','2026-03-09 00:00:00.000000',0,200,130);
INSERT INTO "accounts" VALUES(5,'guild',9007199254741003,0,'month','2026-03-01 00:00:00.000000',0,200,130);
INSERT INTO "accounts" VALUES(6,'member',0,9007199254741069,'day','2026-03-09 00:00:00.000000',0,0,0);
INSERT INTO "accounts" VALUES(7,'member',9007199254741003,9223372036854775807,'day','2026-03-09 00:00:00.000000',0,0,0);
INSERT INTO "accounts" VALUES(8,'member',9007199254741003,9223372036854775807,'hour','2026-03-09 12:00:00.000000',0,0,0);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('8d2f60b7a913');
CREATE TABLE audit (
	id INTEGER NOT NULL, 
	guild_id BIGINT NOT NULL, 
	actor_id BIGINT NOT NULL, 
	act VARCHAR(64) NOT NULL, 
	subject VARCHAR(64) NOT NULL, 
	"before" JSON, 
	"after" JSON, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_audit PRIMARY KEY (id), 
	CONSTRAINT fk_audit_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "audit" VALUES(1,9007199254741003,4611686018427387904,'safety','','null','"spoiler"','2026-03-09 12:00:00.000000');
INSERT INTO "audit" VALUES(2,9007199254741003,4611686018427387904,'word','Wärter','null','"block"','2026-03-09 12:00:00.000000');
INSERT INTO "audit" VALUES(3,9007199254741003,4611686018427387904,'preset','ink','null','{"title":"In ink","prompt":"sha256:5f200c4d","strength":0.6}','2026-03-09 12:00:00.000000');
INSERT INTO "audit" VALUES(4,9007199254741003,4611686018427387904,'preset','night','null','"hidden"','2026-03-09 12:00:00.000000');
INSERT INTO "audit" VALUES(5,9007199254741003,9007199254741069,'block','9007199254741070','null','{"blocked":"for good","reason":"spam \u2603"}','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(6,9007199254741003,9007199254741069,'priority','role 9007199254740997',1,2.5,'2026-11-22 14:32:21.864243');
INSERT INTO "audit" VALUES(7,9007199254741003,9007199254741069,'word','gore','null','"warn"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(8,9007199254741003,9007199254741069,'retention','','null',7,'2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(9,9007199254741003,9007199254741069,'time_zone','','null','"Europe/Berlin"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(10,9007199254741003,9007199254741069,'pipeline','style','"on"','"off"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(11,9007199254741003,9007199254741069,'approval','everywhere','null','"#1152921504606846976"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(12,9007199254741003,9007199254741069,'digest','','null','"#1152921504606846976"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(13,9007199254741003,9007199254741069,'quota','channel 1152921504606846976 month','null','"1000 s"','2026-03-14 14:00:00.000000');
CREATE TABLE files (
	sha256 VARCHAR(64) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	place VARCHAR(200) NOT NULL, 
	media_type VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_files PRIMARY KEY (sha256), 
	CONSTRAINT ck_files_size_bytes_range CHECK (size_bytes BETWEEN 0 AND 1099511627776)
);
INSERT INTO "files" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',7,'aa/aa/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','image/png','2026-03-09 12:00:00.000000');
INSERT INTO "files" VALUES('43244a2989727a674d1c89aa187dc72dbae2f9b2a67722dc4e8e0d8297b688d6',42,'43/24/43244a2989727a674d1c89aa187dc72dbae2f9b2a67722dc4e8e0d8297b688d6','image/png','2026-03-09 12:00:00.000000');
INSERT INTO "files" VALUES('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',7,'bb/bb/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','image/png','2026-03-09 12:00:00.000000');
CREATE TABLE guild_presets (
	guild_id BIGINT NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	fields JSON, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_guild_presets PRIMARY KEY (guild_id, name), 
	CONSTRAINT fk_guild_presets_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "guild_presets" VALUES(9007199254741003,'ink','{"title":"In ink","prompt":"ink drawing, {words}","strength":0.6}','2026-03-09 12:00:00.000000');
INSERT INTO "guild_presets" VALUES(9007199254741003,'night','null','2026-03-09 12:00:00.000000');
CREATE TABLE guild_settings (
	guild_id BIGINT NOT NULL, 
	safety VARCHAR(64), 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_guild_settings PRIMARY KEY (guild_id), 
	CONSTRAINT ck_guild_settings_safety_known CHECK (safety IN ('off', 'spoiler', 'block')), 
	CONSTRAINT fk_guild_settings_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "guild_settings" VALUES(9007199254741003,'spoiler','2026-03-14 14:00:00.000000');
CREATE TABLE guilds (
	id BIGINT NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_guilds PRIMARY KEY (id), 
	CONSTRAINT ck_guilds_id_range CHECK (id >= 0)
);
INSERT INTO "guilds" VALUES(0,'2026-03-09 12:00:00.000000');
INSERT INTO "guilds" VALUES(9007199254741003,'2026-02-02 12:00:00.000000');
CREATE TABLE "inputs" (
	job_id VARCHAR(32) NOT NULL, 
	role VARCHAR(64) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_inputs PRIMARY KEY (job_id, role), 
	CONSTRAINT fk_inputs_sha256_files FOREIGN KEY(sha256) REFERENCES files (sha256), 
	CONSTRAINT fk_inputs_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "inputs" VALUES('c4f80df6d1f94e07bc1a43a59bc1cc62','image','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "inputs" VALUES('9bf1db9ea8d44078b7f14375b57e85c8','image','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "inputs" VALUES('9bf1db9ea8d44078b7f14375b57e85c8','style_image','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO "inputs" VALUES('4ccdd0c6890d47feb5279847ac4611d5','image','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "inputs" VALUES('669d954475974b8e83f2596e15d97403','image','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO "inputs" VALUES('d0a53111605846d3b3893f5eeee4ccf1','image','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
CREATE TABLE jobs (
	id VARCHAR(32) NOT NULL, 
	interaction_id BIGINT NOT NULL, 
	guild_id BIGINT NOT NULL, 
	channel_id BIGINT NOT NULL, 
	member_id BIGINT NOT NULL, 
	command VARCHAR(64) NOT NULL, 
	pipeline VARCHAR(64) NOT NULL, 
	model VARCHAR(200), 
	prompt VARCHAR, 
	parameters JSON, 
	seed BIGINT NOT NULL, 
	locale VARCHAR(64) NOT NULL, 
	parent_id VARCHAR(32), 
	nonce VARCHAR(64) NOT NULL, 
	interaction_token VARCHAR, 
	token_expires_at DATETIME NOT NULL, 
	state VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	owner VARCHAR(200), 
	lease_expires_at DATETIME, 
	reserve_ms BIGINT NOT NULL, 
	device_ms BIGINT, 
	wait_ms BIGINT, 
	error VARCHAR, 
	notes JSON, 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, 
	message_id BIGINT, 
	delivered_at DATETIME, 
	deleted_at DATETIME, 
	purged_at DATETIME, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT ck_jobs_state_known CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')), 
	CONSTRAINT ck_jobs_attempt_range CHECK (attempt BETWEEN 0 AND 1000), 
	CONSTRAINT ck_jobs_device_ms_range CHECK (device_ms BETWEEN 0 AND 1000000000000), 
	CONSTRAINT ck_jobs_reserve_ms_range CHECK (reserve_ms BETWEEN 1 AND 1000000000000), 
	CONSTRAINT ck_jobs_seed_range CHECK (seed BETWEEN 0 AND 4294967295), 
	CONSTRAINT ck_jobs_wait_ms_range CHECK (wait_ms BETWEEN 0 AND 1000000000000), 
	CONSTRAINT fk_jobs_guild_id_member_id_members FOREIGN KEY(guild_id, member_id) REFERENCES members (guild_id, member_id), 
	CONSTRAINT fk_jobs_parent_id_jobs FOREIGN KEY(parent_id) REFERENCES jobs (id), 
	CONSTRAINT uq_jobs_interaction_id UNIQUE (interaction_id), 
	CONSTRAINT uq_jobs_nonce UNIQUE (nonce)
);
INSERT INTO "jobs" VALUES('d5512c64dfa74ee49199579e00815ee4',18014398509481985,9007199254741003,9223372036854775807,9007199254741069,'remix','img2img',NULL,NULL,'null',4294967295,'en-US',NULL,'nonce-1',NULL,'2026-03-14 12:15:00.000000','done',1,NULL,NULL,100,100,0,NULL,'null','2026-02-02 12:00:00.000000','2026-02-02 12:00:00.000000','2026-02-02 12:00:00.000000',NULL,NULL,NULL,'2026-03-09 12:00:00.000000');
INSERT INTO "jobs" VALUES('c4f80df6d1f94e07bc1a43a59bc1cc62',18014398509481986,9007199254741003,9223372036854775807,9007199254741069,'remix','img2img',NULL,'night ☃ ''; -- 
 two lines','{"strength":0.1,"layers":["grain"],"x":null}',4294967295,'zh-CN',NULL,'nonce-2','token-2','2026-03-14 12:15:00.000000','done',1,NULL,NULL,100,130,0,NULL,'null','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000',4611686018427387904,'2026-03-09 12:00:00.000000',NULL,NULL);
INSERT INTO "jobs" VALUES('4ccdd0c6890d47feb5279847ac4611d5',18014398509481988,9007199254741003,9223372036854775807,9223372036854775807,'remix','img2img',NULL,'night','{"strength":0.7}',4294967295,'en-US',NULL,'nonce-4','token-4','2026-03-14 12:15:00.000000','done',1,NULL,NULL,100,0,0,NULL,'null','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000',NULL,NULL,'2026-03-09 12:00:00.000000',NULL);
INSERT INTO "jobs" VALUES('669d954475974b8e83f2596e15d97403',18014398509481989,9007199254741003,9223372036854775807,9007199254741069,'remix','img2img','mine','','{"strength":0.7}',4294967295,'en-US',NULL,'nonce-5','token-5','2026-03-14 12:15:00.000000','queued',2,NULL,NULL,100,NULL,0,NULL,'null','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('d0a53111605846d3b3893f5eeee4ccf1',18014398509481990,9007199254741003,9223372036854775807,9007199254741069,'remix','img2img',NULL,'night','{"strength":0.7}',4294967295,'en-US',NULL,'nonce-6','token-6','2026-03-14 12:15:00.000000','running',1,'worker','2026-03-14 14:01:00.000000',100,NULL,439200000,NULL,'null','2026-03-09 12:00:00.000000','2026-03-14 14:00:00.000000',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('9bf1db9ea8d44078b7f14375b57e85c8',18014398509481987,0,9223372036854775807,9007199254741069,'remix','img2img',NULL,'night','{"strength":0.7}',4294967295,'en-US','c4f80df6d1f94e07bc1a43a59bc1cc62','nonce-3','token-3','2026-03-14 12:15:00.000000','failed',1,NULL,NULL,100,0,0,'EngineLostError','null','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000',NULL,NULL,NULL,NULL);
CREATE TABLE key_values (
	"key" VARCHAR(200) NOT NULL, 
	value VARCHAR NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_key_values PRIMARY KEY ("key")
);
INSERT INTO "key_values" VALUES('commands','hash','2026-03-09 12:00:00.000000');
CREATE TABLE ledger (
	id INTEGER NOT NULL, 
	account_id BIGINT NOT NULL, 
	job_id VARCHAR(32), 
	kind VARCHAR(64) NOT NULL, 
	amount_ms BIGINT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_ledger PRIMARY KEY (id), 
	CONSTRAINT ck_ledger_job_id_given CHECK ((kind = 'grant') = (job_id IS NULL)), 
	CONSTRAINT ck_ledger_kind_known CHECK (kind IN ('grant', 'reserve', 'settle', 'overrun', 'refund')), 
	CONSTRAINT ck_ledger_amount_ms_range CHECK (amount_ms BETWEEN 1 AND 1000000000000), 
	CONSTRAINT fk_ledger_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_ledger_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id), 
	CONSTRAINT uq_ledger_account_id_job_id_kind UNIQUE (account_id, job_id, kind)
);
INSERT INTO "ledger" VALUES(1,1,'d5512c64dfa74ee49199579e00815ee4','reserve',100,'2026-02-02 12:00:00.000000');
INSERT INTO "ledger" VALUES(2,1,'d5512c64dfa74ee49199579e00815ee4','settle',100,'2026-02-02 12:00:00.000000');
INSERT INTO "ledger" VALUES(3,2,NULL,'grant',77,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(4,3,NULL,'grant',77,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(5,4,'c4f80df6d1f94e07bc1a43a59bc1cc62','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(6,5,'c4f80df6d1f94e07bc1a43a59bc1cc62','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(7,2,'c4f80df6d1f94e07bc1a43a59bc1cc62','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(8,3,'c4f80df6d1f94e07bc1a43a59bc1cc62','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(9,4,'c4f80df6d1f94e07bc1a43a59bc1cc62','settle',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(10,4,'c4f80df6d1f94e07bc1a43a59bc1cc62','overrun',30,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(11,5,'c4f80df6d1f94e07bc1a43a59bc1cc62','settle',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(12,5,'c4f80df6d1f94e07bc1a43a59bc1cc62','overrun',30,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(13,2,'c4f80df6d1f94e07bc1a43a59bc1cc62','settle',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(14,2,'c4f80df6d1f94e07bc1a43a59bc1cc62','overrun',30,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(15,3,'c4f80df6d1f94e07bc1a43a59bc1cc62','settle',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(16,3,'c4f80df6d1f94e07bc1a43a59bc1cc62','overrun',30,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(17,4,'9bf1db9ea8d44078b7f14375b57e85c8','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(18,6,'9bf1db9ea8d44078b7f14375b57e85c8','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(19,4,'9bf1db9ea8d44078b7f14375b57e85c8','refund',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(20,6,'9bf1db9ea8d44078b7f14375b57e85c8','refund',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(21,4,'4ccdd0c6890d47feb5279847ac4611d5','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(22,5,'4ccdd0c6890d47feb5279847ac4611d5','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(23,7,'4ccdd0c6890d47feb5279847ac4611d5','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(24,8,'4ccdd0c6890d47feb5279847ac4611d5','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(25,4,'4ccdd0c6890d47feb5279847ac4611d5','refund',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(26,5,'4ccdd0c6890d47feb5279847ac4611d5','refund',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(27,7,'4ccdd0c6890d47feb5279847ac4611d5','refund',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(28,8,'4ccdd0c6890d47feb5279847ac4611d5','refund',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(29,4,'669d954475974b8e83f2596e15d97403','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(30,5,'669d954475974b8e83f2596e15d97403','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(31,2,'669d954475974b8e83f2596e15d97403','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(32,3,'669d954475974b8e83f2596e15d97403','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(33,4,'d0a53111605846d3b3893f5eeee4ccf1','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(34,5,'d0a53111605846d3b3893f5eeee4ccf1','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(35,2,'d0a53111605846d3b3893f5eeee4ccf1','reserve',100,'2026-03-09 12:00:00.000000');
INSERT INTO "ledger" VALUES(36,3,'d0a53111605846d3b3893f5eeee4ccf1','reserve',100,'2026-03-09 12:00:00.000000');
CREATE TABLE members (
	guild_id BIGINT NOT NULL, 
	member_id BIGINT NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_members PRIMARY KEY (guild_id, member_id), 
	CONSTRAINT ck_members_member_id_range CHECK (member_id >= 0), 
	CONSTRAINT fk_members_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "members" VALUES(9007199254741003,9007199254741069,'2026-02-02 12:00:00.000000');
INSERT INTO "members" VALUES(0,9007199254741069,'2026-03-09 12:00:00.000000');
INSERT INTO "members" VALUES(9007199254741003,9223372036854775807,'2026-03-09 12:00:00.000000');
CREATE TABLE "outputs" (
	job_id VARCHAR(32) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	number INTEGER DEFAULT 0 NOT NULL, mse DOUBLE, psnr DOUBLE, ssim DOUBLE, compared VARCHAR(64), 
	CONSTRAINT pk_outputs PRIMARY KEY (job_id, number), 
	CONSTRAINT fk_outputs_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id), 
	CONSTRAINT fk_outputs_sha256_files FOREIGN KEY(sha256) REFERENCES files (sha256), 
	CONSTRAINT ck_outputs_number_range CHECK (number BETWEEN 0 AND 1000)
);
INSERT INTO "outputs" VALUES('c4f80df6d1f94e07bc1a43a59bc1cc62','43244a2989727a674d1c89aa187dc72dbae2f9b2a67722dc4e8e0d8297b688d6','2026-03-09 12:00:00.000000',0,NULL,NULL,NULL,NULL);
CREATE TABLE quota_policies (
	id INTEGER NOT NULL, 
	scope VARCHAR(64) NOT NULL, 
	guild_id BIGINT NOT NULL, 
	member_id BIGINT NOT NULL, 
	period VARCHAR(64) NOT NULL, 
	limit_ms BIGINT NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_quota_policies PRIMARY KEY (id), 
	CONSTRAINT ck_quota_policies_period_known CHECK (period IN ('hour', 'day', 'month')), 
	CONSTRAINT ck_quota_policies_scope_known CHECK (scope IN ('member', 'guild', 'global')), 
	CONSTRAINT ck_quota_policies_limit_ms_range CHECK (limit_ms BETWEEN 0 AND 1000000000000), 
	CONSTRAINT uq_quota_policies_scope_guild_id_member_id_period UNIQUE (scope, guild_id, member_id, period)
);
INSERT INTO "quota_policies" VALUES(1,'member',9007199254741003,0,'hour',9000,'2026-03-09 12:00:00.000000');
INSERT INTO "quota_policies" VALUES(2,'guild',9007199254741003,0,'month',9000,'2026-03-09 12:00:00.000000');
INSERT INTO "quota_policies" VALUES(3,'global',0,0,'day',9000,'2026-03-09 12:00:00.000000');
CREATE TABLE word_rules (
	guild_id BIGINT NOT NULL, 
	plain VARCHAR(64) NOT NULL, 
	word VARCHAR(64) NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_word_rules PRIMARY KEY (guild_id, plain), 
	CONSTRAINT ck_word_rules_action_known CHECK (action IN ('warn', 'block')), 
	CONSTRAINT fk_word_rules_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "word_rules" VALUES(9007199254741003,'warter','Wärter','block','2026-03-09 12:00:00.000000');
INSERT INTO "word_rules" VALUES(9007199254741003,'gore','gore','warn','2026-03-14 14:00:00.000000');
CREATE INDEX ix_jobs_guild_id_created_at ON jobs (guild_id, created_at);
CREATE INDEX ix_jobs_guild_id_member_id_created_at ON jobs (guild_id, member_id, created_at);
CREATE INDEX ix_jobs_parent_id ON jobs (parent_id);
CREATE INDEX ix_jobs_state_created_at ON jobs (state, created_at);
CREATE INDEX ix_jobs_undelivered ON jobs (finished_at) WHERE delivered_at IS NULL;
CREATE INDEX ix_ledger_job_id ON ledger (job_id);
CREATE INDEX ix_audit_guild_id_id ON audit (guild_id, id);
CREATE INDEX ix_inputs_sha256 ON inputs (sha256);
CREATE INDEX ix_outputs_sha256 ON outputs (sha256);
COMMIT;
