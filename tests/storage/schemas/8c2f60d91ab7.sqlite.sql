BEGIN TRANSACTION;
CREATE TABLE "accounts" (
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
	CONSTRAINT uq_accounts_scope_guild_id_member_id_period_window_start UNIQUE (scope, guild_id, member_id, period, window_start), 
	CONSTRAINT ck_accounts_used_ms_range CHECK (used_ms BETWEEN 0 AND 1000000000000000), 
	CONSTRAINT ck_accounts_reserved_ms_range CHECK (reserved_ms BETWEEN 0 AND 1000000000000000), 
	CONSTRAINT ck_accounts_granted_ms_range CHECK (granted_ms BETWEEN 0 AND 1000000000000000), 
	CONSTRAINT ck_accounts_scope_known CHECK (scope IN ('member', 'guild', 'global', 'channel', 'share')), 
	CONSTRAINT ck_accounts_period_known CHECK (period IN ('hour', 'day', 'month', 'ever'))
);
INSERT INTO "accounts" VALUES(1,'member',9007199254741003,9007199254741069,'day','2026-02-02 00:00:00.000000',0,0,100);
INSERT INTO "accounts" VALUES(2,'member',9007199254741003,9007199254741069,'day','2026-03-09 00:00:00.000000',77,200,130);
INSERT INTO "accounts" VALUES(3,'member',9007199254741003,9007199254741069,'hour','2026-03-09 12:00:00.000000',77,200,130);
INSERT INTO "accounts" VALUES(4,'global',0,0,'day','2026-03-09 00:00:00.000000',0,200,130);
INSERT INTO "accounts" VALUES(5,'guild',9007199254741003,0,'month','2026-03-01 00:00:00.000000',0,200,130);
INSERT INTO "accounts" VALUES(6,'member',0,9007199254741069,'day','2026-03-09 00:00:00.000000',0,0,0);
INSERT INTO "accounts" VALUES(7,'member',9007199254741003,9223372036854775807,'day','2026-03-09 00:00:00.000000',0,0,0);
INSERT INTO "accounts" VALUES(8,'member',9007199254741003,9223372036854775807,'hour','2026-03-09 12:00:00.000000',0,0,0);
CREATE TABLE acknowledgements (
	interaction_id BIGINT NOT NULL, 
	token VARCHAR NOT NULL, 
	token_expires_at DATETIME NOT NULL, 
	locale VARCHAR(64) NOT NULL, 
	owner VARCHAR(200) NOT NULL, 
	lease_expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_acknowledgements PRIMARY KEY (interaction_id)
);
INSERT INTO "acknowledgements" VALUES(2305843009213693952,'token','2026-03-14 14:15:00.000000','zh-CN','bot','2026-03-14 14:00:20.000000');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('8c2f60d91ab7');
CREATE TABLE approvals (
	guild_id BIGINT NOT NULL, 
	channel_id BIGINT NOT NULL, 
	review_channel_id BIGINT NOT NULL, 
	actor_id BIGINT NOT NULL, 
	trouble VARCHAR(64), 
	CONSTRAINT pk_approvals PRIMARY KEY (guild_id, channel_id), 
	CONSTRAINT fk_approvals_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "approvals" VALUES(9007199254741003,0,1152921504606846976,9007199254741069,NULL);
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
INSERT INTO "audit" VALUES(5,9007199254741003,9007199254741069,'block','9007199254741070',NULL,'{"blocked":"for good","reason":"spam \u2603"}','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(6,9007199254741003,9007199254741069,'priority','role 9007199254740997',1,2.5,'2026-11-22 14:32:21.864243');
INSERT INTO "audit" VALUES(7,9007199254741003,9007199254741069,'word','gore',NULL,'"warn"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(8,9007199254741003,9007199254741069,'retention','',NULL,7,'2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(9,9007199254741003,9007199254741069,'time_zone','',NULL,'"Europe/Berlin"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(10,9007199254741003,9007199254741069,'pipeline','style','"on"','"off"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(11,9007199254741003,9007199254741069,'approval','everywhere',NULL,'"#1152921504606846976"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(12,9007199254741003,9007199254741069,'digest','',NULL,'"#1152921504606846976"','2026-03-14 14:00:00.000000');
INSERT INTO "audit" VALUES(13,9007199254741003,9007199254741069,'quota','channel 1152921504606846976 month',NULL,'"1000 s"','2026-03-14 14:00:00.000000');
CREATE TABLE blocks (
	guild_id BIGINT NOT NULL, 
	member_id BIGINT NOT NULL, 
	reason VARCHAR NOT NULL, 
	until DATETIME, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_blocks PRIMARY KEY (guild_id, member_id), 
	CONSTRAINT fk_blocks_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "blocks" VALUES(9007199254741003,9007199254741070,'spam ☃',NULL,'2026-03-14 14:00:00.000000');
CREATE TABLE digests (
	guild_id BIGINT NOT NULL, 
	channel_id BIGINT NOT NULL, 
	actor_id BIGINT NOT NULL, 
	week VARCHAR(64) NOT NULL, 
	owner VARCHAR(200), 
	lease_expires_at DATETIME, 
	trouble VARCHAR(64), 
	CONSTRAINT pk_digests PRIMARY KEY (guild_id), 
	CONSTRAINT fk_digests_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "digests" VALUES(9007199254741003,1152921504606846976,9007199254741069,'2026-03-14',NULL,NULL,NULL);
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
CREATE TABLE "guild_settings" (
	guild_id BIGINT NOT NULL, 
	safety VARCHAR(64), 
	updated_at DATETIME NOT NULL, 
	time_zone VARCHAR(64), 
	retention_days INTEGER, 
	language VARCHAR(64), 
	model VARCHAR(64), 
	preset VARCHAR(64), 
	strength DOUBLE, 
	warnings INTEGER, 
	CONSTRAINT pk_guild_settings PRIMARY KEY (guild_id), 
	CONSTRAINT ck_guild_settings_safety_known CHECK (safety IN ('off', 'spoiler', 'block')), 
	CONSTRAINT fk_guild_settings_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id), 
	CONSTRAINT ck_guild_settings_retention_days_range CHECK (retention_days BETWEEN 1 AND 36500), 
	CONSTRAINT ck_guild_settings_strength_range CHECK (strength > 0 AND strength <= 1), 
	CONSTRAINT ck_guild_settings_warnings_range CHECK (warnings BETWEEN 1 AND 1000)
);
INSERT INTO "guild_settings" VALUES(9007199254741003,'spoiler','2026-03-14 14:00:00.000000','Europe/Berlin',7,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE guilds (
	id BIGINT NOT NULL, 
	first_seen_at DATETIME NOT NULL, present_at DATETIME, 
	CONSTRAINT pk_guilds PRIMARY KEY (id), 
	CONSTRAINT ck_guilds_id_range CHECK (id >= 0)
);
INSERT INTO "guilds" VALUES(0,'2026-03-09 12:00:00.000000',NULL);
INSERT INTO "guilds" VALUES(9007199254741003,'2026-02-02 12:00:00.000000',NULL);
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
CREATE TABLE "jobs" (
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
	role_ids JSON, 
	pictures INTEGER, 
	input_bytes BIGINT, 
	output_bytes BIGINT, 
	not_before DATETIME, 
	deadline_at DATETIME, 
	dead_at DATETIME, 
	guild_weight DOUBLE, 
	member_weight DOUBLE, 
	held_at DATETIME, 
	CONSTRAINT pk_jobs PRIMARY KEY (id), 
	CONSTRAINT uq_jobs_nonce UNIQUE (nonce), 
	CONSTRAINT ck_jobs_device_ms_range CHECK (device_ms BETWEEN 0 AND 1000000000000), 
	CONSTRAINT ck_jobs_seed_range CHECK (seed BETWEEN 0 AND 4294967295), 
	CONSTRAINT fk_jobs_parent_id_jobs FOREIGN KEY(parent_id) REFERENCES jobs (id), 
	CONSTRAINT ck_jobs_attempt_range CHECK (attempt BETWEEN 0 AND 1000), 
	CONSTRAINT fk_jobs_guild_id_member_id_members FOREIGN KEY(guild_id, member_id) REFERENCES members (guild_id, member_id), 
	CONSTRAINT uq_jobs_interaction_id UNIQUE (interaction_id), 
	CONSTRAINT ck_jobs_reserve_ms_range CHECK (reserve_ms BETWEEN 1 AND 1000000000000), 
	CONSTRAINT ck_jobs_wait_ms_range CHECK (wait_ms BETWEEN 0 AND 1000000000000), 
	CONSTRAINT ck_jobs_state_known CHECK (state IN ('queued', 'running', 'held', 'done', 'failed', 'cancelled'))
);
INSERT INTO "jobs" VALUES('d5512c64dfa74ee49199579e00815ee4',18014398509481985,9007199254741003,9223372036854775807,9007199254741069,'remix','img2img',NULL,NULL,'null',4294967295,'en-US',NULL,'nonce-1',NULL,'2026-03-14 12:15:00.000000','done',1,NULL,NULL,100,100,0,NULL,'null','2026-02-02 12:00:00.000000','2026-02-02 12:00:00.000000','2026-02-02 12:00:00.000000',NULL,NULL,NULL,'2026-03-09 12:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('c4f80df6d1f94e07bc1a43a59bc1cc62',18014398509481986,9007199254741003,9223372036854775807,9007199254741069,'remix','img2img',NULL,'night ☃ ''; -- 
 two lines','{"strength":0.1,"layers":["grain"],"x":null}',4294967295,'zh-CN',NULL,'nonce-2','token-2','2026-03-14 12:15:00.000000','done',1,NULL,NULL,100,130,0,NULL,'null','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000',4611686018427387904,'2026-03-09 12:00:00.000000',NULL,NULL,NULL,1,7,42,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('4ccdd0c6890d47feb5279847ac4611d5',18014398509481988,9007199254741003,9223372036854775807,9223372036854775807,'remix','img2img',NULL,'night','{"strength":0.7}',4294967295,'en-US',NULL,'nonce-4','token-4','2026-03-14 12:15:00.000000','done',1,NULL,NULL,100,0,0,NULL,'null','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000',NULL,NULL,'2026-03-09 12:00:00.000000',NULL,NULL,NULL,7,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('669d954475974b8e83f2596e15d97403',18014398509481989,9007199254741003,9223372036854775807,9007199254741069,'remix','img2img','mine','','{"strength":0.7}',4294967295,'en-US',NULL,'nonce-5','token-5','2026-03-14 12:15:00.000000','held',2,NULL,NULL,100,NULL,0,NULL,NULL,'2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,7,NULL,NULL,NULL,NULL,NULL,NULL,'2026-03-14 14:00:00.000000');
INSERT INTO "jobs" VALUES('d0a53111605846d3b3893f5eeee4ccf1',18014398509481990,9007199254741003,9223372036854775807,9007199254741069,'remix','img2img',NULL,'night','{"strength":0.7}',4294967295,'en-US',NULL,'nonce-6','token-6','2026-03-14 12:15:00.000000','running',1,'worker','2026-03-14 14:01:00.000000',100,NULL,439200000,NULL,'null','2026-03-09 12:00:00.000000','2026-03-14 14:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,NULL,7,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES('9bf1db9ea8d44078b7f14375b57e85c8',18014398509481987,0,9223372036854775807,9007199254741069,'remix','img2img',NULL,'night','{"strength":0.7}',4294967295,'en-US','c4f80df6d1f94e07bc1a43a59bc1cc62','nonce-3','token-3','2026-03-14 12:15:00.000000','failed',1,NULL,NULL,100,0,0,'EngineLostError','null','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000','2026-03-09 12:00:00.000000',NULL,NULL,NULL,NULL,NULL,NULL,14,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE key_values (
	"key" VARCHAR(200) NOT NULL, 
	value VARCHAR NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_key_values PRIMARY KEY ("key")
);
INSERT INTO "key_values" VALUES('commands','hash','2026-03-09 12:00:00.000000');
CREATE TABLE "ledger" (
	id INTEGER NOT NULL, 
	account_id BIGINT NOT NULL, 
	job_id VARCHAR(32), 
	kind VARCHAR(64) NOT NULL, 
	amount_ms BIGINT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_ledger PRIMARY KEY (id), 
	CONSTRAINT fk_ledger_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id), 
	CONSTRAINT ck_ledger_amount_ms_range CHECK (amount_ms BETWEEN 1 AND 1000000000000), 
	CONSTRAINT uq_ledger_account_id_job_id_kind UNIQUE (account_id, job_id, kind), 
	CONSTRAINT fk_ledger_account_id_accounts FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT ck_ledger_kind_known CHECK (kind IN ('grant', 'reserve', 'settle', 'overrun', 'refund', 'reset')), 
	CONSTRAINT ck_ledger_job_id_given CHECK ((kind IN ('grant', 'reset')) = (job_id IS NULL))
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
CREATE TABLE left_out (
	member_id BIGINT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_left_out PRIMARY KEY (member_id)
);
INSERT INTO "left_out" VALUES(43,'2026-11-22 14:50:00.000000');
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
	CONSTRAINT fk_outputs_sha256_files FOREIGN KEY(sha256) REFERENCES files (sha256), 
	CONSTRAINT fk_outputs_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id), 
	CONSTRAINT ck_outputs_number_range CHECK (number BETWEEN 0 AND 1000)
);
INSERT INTO "outputs" VALUES('c4f80df6d1f94e07bc1a43a59bc1cc62','43244a2989727a674d1c89aa187dc72dbae2f9b2a67722dc4e8e0d8297b688d6','2026-03-09 12:00:00.000000',0,NULL,NULL,NULL,NULL);
INSERT INTO "outputs" VALUES('669d954475974b8e83f2596e15d97403','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb','2026-03-14 14:00:00.000000',0,NULL,NULL,NULL,NULL);
CREATE TABLE previews (
	job_id VARCHAR(32) NOT NULL, 
	data BLOB NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_previews PRIMARY KEY (job_id), 
	CONSTRAINT fk_previews_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id)
);
INSERT INTO "previews" VALUES('d0a53111605846d3b3893f5eeee4ccf1',X'70726576696577','2026-03-14 14:00:00.000000');
CREATE TABLE priorities (
	guild_id BIGINT NOT NULL, 
	scope VARCHAR(64) NOT NULL, 
	subject_id BIGINT NOT NULL, 
	weight DOUBLE NOT NULL, 
	CONSTRAINT pk_priorities PRIMARY KEY (guild_id, scope, subject_id), 
	CONSTRAINT ck_priorities_scope_known CHECK (scope IN ('member', 'role')), 
	CONSTRAINT ck_priorities_weight_range CHECK (weight >= 0.1 AND weight <= 10), 
	CONSTRAINT fk_priorities_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "priorities" VALUES(9007199254741003,'role',9007199254740997,2.5);
CREATE TABLE "quota_policies" (
	id INTEGER NOT NULL, 
	scope VARCHAR(64) NOT NULL, 
	guild_id BIGINT NOT NULL, 
	member_id BIGINT NOT NULL, 
	period VARCHAR(64) NOT NULL, 
	limit_ms BIGINT NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_quota_policies PRIMARY KEY (id), 
	CONSTRAINT uq_quota_policies_scope_guild_id_member_id_period UNIQUE (scope, guild_id, member_id, period), 
	CONSTRAINT ck_quota_policies_limit_ms_range CHECK (limit_ms BETWEEN 0 AND 1000000000000), 
	CONSTRAINT ck_quota_policies_period_known CHECK (period IN ('hour', 'day', 'month')), 
	CONSTRAINT ck_quota_policies_scope_known CHECK (scope IN ('member', 'guild', 'global', 'role', 'channel'))
);
INSERT INTO "quota_policies" VALUES(1,'member',9007199254741003,0,'hour',9000,'2026-03-09 12:00:00.000000');
INSERT INTO "quota_policies" VALUES(2,'guild',9007199254741003,0,'month',9000,'2026-03-09 12:00:00.000000');
INSERT INTO "quota_policies" VALUES(3,'global',0,0,'day',9000,'2026-03-09 12:00:00.000000');
INSERT INTO "quota_policies" VALUES(4,'channel',9007199254741003,1152921504606846976,'month',1000000,'2026-03-14 14:00:00.000000');
CREATE TABLE reviews (
	job_id VARCHAR(32) NOT NULL, 
	guild_id BIGINT NOT NULL, 
	channel_id BIGINT NOT NULL, 
	message_id BIGINT, 
	device_ms BIGINT NOT NULL, 
	decided_by BIGINT, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_reviews PRIMARY KEY (job_id), 
	CONSTRAINT ck_reviews_device_ms_range CHECK (device_ms BETWEEN 0 AND 1000000000000), 
	CONSTRAINT fk_reviews_job_id_jobs FOREIGN KEY(job_id) REFERENCES jobs (id), 
	CONSTRAINT fk_reviews_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "reviews" VALUES('669d954475974b8e83f2596e15d97403',9007199254741003,1152921504606846976,NULL,70,NULL,'2026-03-14 14:00:00.000000');
CREATE TABLE switched_off (
	guild_id BIGINT NOT NULL, 
	channel_id BIGINT NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_switched_off PRIMARY KEY (guild_id, channel_id, kind, name), 
	CONSTRAINT ck_switched_off_kind_known CHECK (kind IN ('pipeline', 'preset')), 
	CONSTRAINT fk_switched_off_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "switched_off" VALUES(9007199254741003,0,'pipeline','style');
CREATE TABLE usage (
	cut VARCHAR(64) NOT NULL, 
	grain VARCHAR(64) NOT NULL, 
	guild_id BIGINT NOT NULL, 
	start DATETIME NOT NULL, 
	member_id BIGINT NOT NULL, 
	channel_id BIGINT NOT NULL, 
	role_id BIGINT NOT NULL, 
	pipeline VARCHAR(64) NOT NULL, 
	model VARCHAR(200) NOT NULL, 
	jobs BIGINT NOT NULL, 
	done BIGINT NOT NULL, 
	failures BIGINT NOT NULL, 
	cancelled BIGINT NOT NULL, 
	pictures BIGINT NOT NULL, 
	device_ms BIGINT NOT NULL, 
	refunded_ms BIGINT NOT NULL, 
	waited BIGINT NOT NULL, 
	wait_ms BIGINT NOT NULL, 
	run_ms BIGINT NOT NULL, 
	stored_bytes BIGINT NOT NULL, 
	kept_bytes BIGINT NOT NULL, 
	details JSON NOT NULL, 
	CONSTRAINT pk_usage PRIMARY KEY (cut, grain, guild_id, start, member_id, channel_id, role_id, pipeline, model), 
	CONSTRAINT ck_usage_grain_known CHECK (grain IN ('hour', 'day', 'month'))
)
 WITHOUT ROWID

;
INSERT INTO "usage" VALUES('guild','day',-1,'2026-02-02 00:00:00.000000',0,0,0,'','',1,1,0,0,1,100,0,1,0,0,0,0,'{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO "usage" VALUES('guild','day',-1,'2026-03-09 00:00:00.000000',0,0,0,'','',5,2,1,0,2,130,200,5,439200000,0,84,84,'{"waits":{"0":4,"193":1},"runs":{"0":2},"causes":{"EngineLostError":1}}');
INSERT INTO "usage" VALUES('guild','day',0,'2026-03-09 00:00:00.000000',0,0,0,'','',1,0,1,0,0,0,100,1,0,0,14,14,'{"waits":{"0":1},"runs":{},"causes":{"EngineLostError":1}}');
INSERT INTO "usage" VALUES('guild','day',9007199254741003,'2026-02-02 00:00:00.000000',0,0,0,'','',1,1,0,0,1,100,0,1,0,0,0,0,'{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO "usage" VALUES('guild','day',9007199254741003,'2026-03-09 00:00:00.000000',0,0,0,'','',4,2,0,0,2,130,100,4,439200000,0,70,70,'{"waits":{"0":3,"193":1},"runs":{"0":2},"causes":{}}');
INSERT INTO "usage" VALUES('guild','month',-1,'2026-02-01 00:00:00.000000',0,0,0,'','',1,1,0,0,1,100,0,1,0,0,0,0,'{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO "usage" VALUES('guild','month',9007199254741003,'2026-02-01 00:00:00.000000',0,0,0,'','',1,1,0,0,1,100,0,1,0,0,0,0,'{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO "usage" VALUES('model','month',-1,'2026-02-01 00:00:00.000000',0,0,0,'img2img','',1,1,0,0,1,100,0,1,0,0,0,0,'{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO "usage" VALUES('model','month',9007199254741003,'2026-02-01 00:00:00.000000',0,0,0,'img2img','',1,1,0,0,1,100,0,1,0,0,0,0,'{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
CREATE TABLE usage_days (
	guild_id BIGINT NOT NULL, 
	start DATETIME NOT NULL, 
	packed BLOB NOT NULL, 
	CONSTRAINT pk_usage_days PRIMARY KEY (guild_id, start)
);
CREATE TABLE usage_marks (
	id INTEGER NOT NULL, 
	grain VARCHAR(64) NOT NULL, 
	guild_id BIGINT NOT NULL, 
	start DATETIME NOT NULL, 
	CONSTRAINT pk_usage_marks PRIMARY KEY (id), 
	CONSTRAINT ck_usage_marks_grain_known CHECK (grain IN ('day', 'month'))
);
INSERT INTO "usage_marks" VALUES(9,'month',0,'2026-03-01 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(10,'month',9007199254741003,'2026-03-01 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(13,'month',-1,'2026-03-01 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(14,'month',-1,'2026-02-01 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(15,'month',9007199254741003,'2026-02-01 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(16,'month',-1,'2026-02-01 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(17,'month',9007199254741003,'2026-02-01 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(18,'day',-1,'2026-02-02 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(19,'day',-1,'2026-03-09 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(20,'day',0,'2026-03-09 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(21,'day',9007199254741003,'2026-02-02 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(22,'day',9007199254741003,'2026-03-09 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(23,'day',0,'2026-03-09 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(24,'day',9007199254741003,'2026-02-02 00:00:00.000000');
INSERT INTO "usage_marks" VALUES(25,'day',9007199254741003,'2026-03-09 00:00:00.000000');
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
CREATE TABLE word_warnings (
	interaction_id BIGINT NOT NULL, 
	guild_id BIGINT NOT NULL, 
	member_id BIGINT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_word_warnings PRIMARY KEY (interaction_id), 
	CONSTRAINT fk_word_warnings_guild_id_guilds FOREIGN KEY(guild_id) REFERENCES guilds (id)
);
INSERT INTO "word_warnings" VALUES(1152921504606846976,9007199254741003,9007199254741069,'2026-03-14 14:00:00.000000');
CREATE INDEX ix_audit_guild_id_id ON audit (guild_id, id);
CREATE INDEX ix_inputs_sha256 ON inputs (sha256);
CREATE INDEX ix_outputs_sha256 ON outputs (sha256);
CREATE INDEX ix_ledger_job_id ON ledger (job_id);
CREATE INDEX ix_word_warnings_guild_id_member_id_created_at ON word_warnings (guild_id, member_id, created_at);
CREATE INDEX ix_jobs_state_created_at ON jobs (state, created_at);
CREATE INDEX ix_jobs_guild_id_member_id_created_at ON jobs (guild_id, member_id, created_at);
CREATE INDEX ix_jobs_guild_id_created_at ON jobs (guild_id, created_at);
CREATE INDEX ix_jobs_undelivered ON jobs (finished_at) WHERE delivered_at IS NULL;
CREATE INDEX ix_jobs_dead ON jobs (guild_id, dead_at) WHERE dead_at IS NOT NULL;
CREATE INDEX ix_jobs_parent_id ON jobs (parent_id);
CREATE INDEX ix_reviews_guild_id_created_at ON reviews (guild_id, created_at);
CREATE INDEX ix_usage_marks_grain_start_guild_id ON usage_marks (grain, start, guild_id);
CREATE TRIGGER usage_of_new_jobs AFTER INSERT ON jobs BEGIN INSERT INTO usage_marks (grain, guild_id, start) SELECT 'day', NEW.guild_id, substr(NEW.created_at, 1, 10) || ' 00:00:00.000000'; END;
CREATE TRIGGER usage_of_old_jobs AFTER DELETE ON jobs BEGIN INSERT INTO usage_marks (grain, guild_id, start) SELECT 'day', OLD.guild_id, substr(OLD.created_at, 1, 10) || ' 00:00:00.000000'; END;
CREATE TRIGGER usage_of_changed_jobs AFTER UPDATE OF guild_id, created_at, member_id, channel_id, role_ids, pipeline, model, state, error, reserve_ms, device_ms, wait_ms, started_at, finished_at, deleted_at, purged_at, pictures, input_bytes, output_bytes ON jobs BEGIN INSERT INTO usage_marks (grain, guild_id, start) SELECT 'day', NEW.guild_id, substr(NEW.created_at, 1, 10) || ' 00:00:00.000000'; INSERT INTO usage_marks (grain, guild_id, start) SELECT 'day', OLD.guild_id, substr(OLD.created_at, 1, 10) || ' 00:00:00.000000' WHERE OLD.guild_id <> NEW.guild_id OR OLD.created_at <> NEW.created_at; END;
COMMIT;
