--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: mark_usage(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.mark_usage() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
        BEGIN
            IF TG_OP <> 'DELETE' THEN
                INSERT INTO usage_marks (grain, guild_id, start)
                VALUES ('day', NEW.guild_id, date_trunc('day', NEW.created_at, 'UTC'));
            END IF;
            IF TG_OP = 'DELETE' THEN
                INSERT INTO usage_marks (grain, guild_id, start)
                VALUES ('day', OLD.guild_id, date_trunc('day', OLD.created_at, 'UTC'));
            ELSIF TG_OP = 'UPDATE' THEN
                INSERT INTO usage_marks (grain, guild_id, start)
                SELECT 'day', OLD.guild_id, date_trunc('day', OLD.created_at, 'UTC')
                WHERE OLD.guild_id <> NEW.guild_id OR OLD.created_at <> NEW.created_at;
            END IF;
            RETURN NULL;
        END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: accounts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.accounts (
    id bigint NOT NULL,
    scope character varying(64) NOT NULL,
    guild_id bigint NOT NULL,
    member_id bigint NOT NULL,
    period character varying(64) NOT NULL,
    window_start timestamp with time zone NOT NULL,
    granted_ms bigint NOT NULL,
    reserved_ms bigint NOT NULL,
    used_ms bigint NOT NULL,
    CONSTRAINT ck_accounts_granted_ms_range CHECK (((granted_ms >= 0) AND (granted_ms <= '1000000000000000'::bigint))),
    CONSTRAINT ck_accounts_period_known CHECK (((period)::text = ANY (ARRAY[('hour'::character varying)::text, ('day'::character varying)::text, ('month'::character varying)::text, ('ever'::character varying)::text]))),
    CONSTRAINT ck_accounts_reserved_ms_range CHECK (((reserved_ms >= 0) AND (reserved_ms <= '1000000000000000'::bigint))),
    CONSTRAINT ck_accounts_scope_known CHECK (((scope)::text = ANY (ARRAY[('member'::character varying)::text, ('guild'::character varying)::text, ('global'::character varying)::text, ('channel'::character varying)::text, ('share'::character varying)::text]))),
    CONSTRAINT ck_accounts_used_ms_range CHECK (((used_ms >= 0) AND (used_ms <= '1000000000000000'::bigint)))
);


--
-- Name: accounts_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.accounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: accounts_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.accounts_id_seq OWNED BY public.accounts.id;


--
-- Name: acknowledgements; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.acknowledgements (
    interaction_id bigint NOT NULL,
    token character varying NOT NULL,
    token_expires_at timestamp with time zone NOT NULL,
    locale character varying(64) NOT NULL,
    owner character varying(200) NOT NULL,
    lease_expires_at timestamp with time zone NOT NULL
);


--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: approvals; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.approvals (
    guild_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    review_channel_id bigint NOT NULL,
    actor_id bigint NOT NULL,
    trouble character varying(64)
);


--
-- Name: audit; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit (
    id bigint NOT NULL,
    guild_id bigint NOT NULL,
    actor_id bigint NOT NULL,
    act character varying(64) NOT NULL,
    subject character varying(64) NOT NULL,
    before json,
    after json,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: audit_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.audit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: audit_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.audit_id_seq OWNED BY public.audit.id;


--
-- Name: blocks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.blocks (
    guild_id bigint NOT NULL,
    member_id bigint NOT NULL,
    reason character varying NOT NULL,
    until timestamp with time zone,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: digests; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.digests (
    guild_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    actor_id bigint NOT NULL,
    week character varying(64) NOT NULL,
    owner character varying(200),
    lease_expires_at timestamp with time zone,
    trouble character varying(64)
);


--
-- Name: files; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.files (
    sha256 character varying(64) NOT NULL,
    size_bytes bigint NOT NULL,
    place character varying(200) NOT NULL,
    media_type character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_files_size_bytes_range CHECK (((size_bytes >= 0) AND (size_bytes <= '1099511627776'::bigint)))
);


--
-- Name: guild_presets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.guild_presets (
    guild_id bigint NOT NULL,
    name character varying(64) NOT NULL,
    fields json,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: guild_settings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.guild_settings (
    guild_id bigint NOT NULL,
    safety character varying(64),
    updated_at timestamp with time zone NOT NULL,
    time_zone character varying(64),
    retention_days integer,
    language character varying(64),
    model character varying(64),
    preset character varying(64),
    strength double precision,
    warnings integer,
    CONSTRAINT ck_guild_settings_retention_days_range CHECK (((retention_days >= 1) AND (retention_days <= 36500))),
    CONSTRAINT ck_guild_settings_safety_known CHECK (((safety)::text = ANY (ARRAY[('off'::character varying)::text, ('spoiler'::character varying)::text, ('block'::character varying)::text]))),
    CONSTRAINT ck_guild_settings_strength_range CHECK (((strength > (0)::double precision) AND (strength <= (1)::double precision))),
    CONSTRAINT ck_guild_settings_warnings_range CHECK (((warnings >= 1) AND (warnings <= 1000)))
);


--
-- Name: guilds; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.guilds (
    id bigint NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    present_at timestamp with time zone,
    CONSTRAINT ck_guilds_id_range CHECK ((id >= 0))
);


--
-- Name: inputs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.inputs (
    job_id character varying(32) NOT NULL,
    role character varying(64) NOT NULL,
    sha256 character varying(64) NOT NULL
);


--
-- Name: jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.jobs (
    id character varying(32) NOT NULL,
    interaction_id bigint NOT NULL,
    guild_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    member_id bigint NOT NULL,
    command character varying(64) NOT NULL,
    pipeline character varying(64) NOT NULL,
    model character varying(200),
    prompt character varying,
    parameters json,
    seed bigint NOT NULL,
    locale character varying(64) NOT NULL,
    parent_id character varying(32),
    nonce character varying(64) NOT NULL,
    interaction_token character varying,
    token_expires_at timestamp with time zone NOT NULL,
    state character varying(64) NOT NULL,
    attempt integer NOT NULL,
    owner character varying(200),
    lease_expires_at timestamp with time zone,
    reserve_ms bigint NOT NULL,
    device_ms bigint,
    wait_ms bigint,
    error character varying,
    notes json,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    message_id bigint,
    delivered_at timestamp with time zone,
    deleted_at timestamp with time zone,
    purged_at timestamp with time zone,
    role_ids json,
    pictures integer,
    input_bytes bigint,
    output_bytes bigint,
    not_before timestamp with time zone,
    deadline_at timestamp with time zone,
    dead_at timestamp with time zone,
    guild_weight double precision,
    member_weight double precision,
    held_at timestamp with time zone,
    CONSTRAINT ck_jobs_attempt_range CHECK (((attempt >= 0) AND (attempt <= 1000))),
    CONSTRAINT ck_jobs_device_ms_range CHECK (((device_ms >= 0) AND (device_ms <= '1000000000000'::bigint))),
    CONSTRAINT ck_jobs_reserve_ms_range CHECK (((reserve_ms >= 1) AND (reserve_ms <= '1000000000000'::bigint))),
    CONSTRAINT ck_jobs_seed_range CHECK (((seed >= 0) AND (seed <= '4294967295'::bigint))),
    CONSTRAINT ck_jobs_state_known CHECK (((state)::text = ANY (ARRAY[('queued'::character varying)::text, ('running'::character varying)::text, ('held'::character varying)::text, ('done'::character varying)::text, ('failed'::character varying)::text, ('cancelled'::character varying)::text]))),
    CONSTRAINT ck_jobs_wait_ms_range CHECK (((wait_ms >= 0) AND (wait_ms <= '1000000000000'::bigint)))
);


--
-- Name: key_values; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.key_values (
    key character varying(200) NOT NULL,
    value character varying NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: ledger; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ledger (
    id bigint NOT NULL,
    account_id bigint NOT NULL,
    job_id character varying(32),
    kind character varying(64) NOT NULL,
    amount_ms bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_ledger_amount_ms_range CHECK (((amount_ms >= 1) AND (amount_ms <= '1000000000000'::bigint))),
    CONSTRAINT ck_ledger_job_id_given CHECK ((((kind)::text = ANY (ARRAY[('grant'::character varying)::text, ('reset'::character varying)::text])) = (job_id IS NULL))),
    CONSTRAINT ck_ledger_kind_known CHECK (((kind)::text = ANY (ARRAY[('grant'::character varying)::text, ('reserve'::character varying)::text, ('settle'::character varying)::text, ('overrun'::character varying)::text, ('refund'::character varying)::text, ('reset'::character varying)::text])))
);


--
-- Name: ledger_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.ledger_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: ledger_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.ledger_id_seq OWNED BY public.ledger.id;


--
-- Name: left_out; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.left_out (
    member_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: members; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.members (
    guild_id bigint NOT NULL,
    member_id bigint NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_members_member_id_range CHECK ((member_id >= 0))
);


--
-- Name: outputs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.outputs (
    job_id character varying(32) NOT NULL,
    sha256 character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    number integer DEFAULT 0 NOT NULL,
    mse double precision,
    psnr double precision,
    ssim double precision,
    compared character varying(64),
    CONSTRAINT ck_outputs_number_range CHECK (((number >= 0) AND (number <= 1000)))
);


--
-- Name: previews; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.previews (
    job_id character varying(32) NOT NULL,
    data bytea NOT NULL,
    updated_at timestamp with time zone NOT NULL
);


--
-- Name: priorities; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.priorities (
    guild_id bigint NOT NULL,
    scope character varying(64) NOT NULL,
    subject_id bigint NOT NULL,
    weight double precision NOT NULL,
    CONSTRAINT ck_priorities_scope_known CHECK (((scope)::text = ANY (ARRAY[('member'::character varying)::text, ('role'::character varying)::text]))),
    CONSTRAINT ck_priorities_weight_range CHECK (((weight >= (0.1)::double precision) AND (weight <= (10)::double precision)))
);


--
-- Name: quota_policies; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.quota_policies (
    id bigint NOT NULL,
    scope character varying(64) NOT NULL,
    guild_id bigint NOT NULL,
    member_id bigint NOT NULL,
    period character varying(64) NOT NULL,
    limit_ms bigint NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_quota_policies_limit_ms_range CHECK (((limit_ms >= 0) AND (limit_ms <= '1000000000000'::bigint))),
    CONSTRAINT ck_quota_policies_period_known CHECK (((period)::text = ANY (ARRAY[('hour'::character varying)::text, ('day'::character varying)::text, ('month'::character varying)::text]))),
    CONSTRAINT ck_quota_policies_scope_known CHECK (((scope)::text = ANY (ARRAY[('member'::character varying)::text, ('guild'::character varying)::text, ('global'::character varying)::text, ('role'::character varying)::text, ('channel'::character varying)::text])))
);


--
-- Name: quota_policies_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.quota_policies_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: quota_policies_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.quota_policies_id_seq OWNED BY public.quota_policies.id;


--
-- Name: reviews; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.reviews (
    job_id character varying(32) NOT NULL,
    guild_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    message_id bigint,
    device_ms bigint NOT NULL,
    decided_by bigint,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_reviews_device_ms_range CHECK (((device_ms >= 0) AND (device_ms <= '1000000000000'::bigint)))
);


--
-- Name: switched_off; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.switched_off (
    guild_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    kind character varying(64) NOT NULL,
    name character varying(64) NOT NULL,
    CONSTRAINT ck_switched_off_kind_known CHECK (((kind)::text = ANY (ARRAY[('pipeline'::character varying)::text, ('preset'::character varying)::text])))
);


--
-- Name: usage; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.usage (
    cut character varying(64) NOT NULL,
    grain character varying(64) NOT NULL,
    guild_id bigint NOT NULL,
    start timestamp with time zone NOT NULL,
    member_id bigint NOT NULL,
    channel_id bigint NOT NULL,
    role_id bigint NOT NULL,
    pipeline character varying(64) NOT NULL,
    model character varying(200) NOT NULL,
    jobs bigint NOT NULL,
    done bigint NOT NULL,
    failures bigint NOT NULL,
    cancelled bigint NOT NULL,
    pictures bigint NOT NULL,
    device_ms bigint NOT NULL,
    refunded_ms bigint NOT NULL,
    waited bigint NOT NULL,
    wait_ms bigint NOT NULL,
    run_ms bigint NOT NULL,
    stored_bytes bigint NOT NULL,
    kept_bytes bigint NOT NULL,
    details json NOT NULL,
    CONSTRAINT ck_usage_grain_known CHECK (((grain)::text = ANY (ARRAY[('hour'::character varying)::text, ('day'::character varying)::text, ('month'::character varying)::text])))
);


--
-- Name: usage_days; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.usage_days (
    guild_id bigint NOT NULL,
    start timestamp with time zone NOT NULL,
    packed bytea NOT NULL
);


--
-- Name: usage_marks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.usage_marks (
    id bigint NOT NULL,
    grain character varying(64) NOT NULL,
    guild_id bigint NOT NULL,
    start timestamp with time zone NOT NULL,
    CONSTRAINT ck_usage_marks_grain_known CHECK (((grain)::text = ANY (ARRAY[('day'::character varying)::text, ('month'::character varying)::text])))
);


--
-- Name: usage_marks_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.usage_marks_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: usage_marks_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.usage_marks_id_seq OWNED BY public.usage_marks.id;


--
-- Name: word_rules; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.word_rules (
    guild_id bigint NOT NULL,
    plain character varying(64) NOT NULL,
    word character varying(64) NOT NULL,
    action character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_word_rules_action_known CHECK (((action)::text = ANY (ARRAY[('warn'::character varying)::text, ('block'::character varying)::text])))
);


--
-- Name: word_warnings; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.word_warnings (
    interaction_id bigint NOT NULL,
    guild_id bigint NOT NULL,
    member_id bigint NOT NULL,
    created_at timestamp with time zone NOT NULL
);


--
-- Name: accounts id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts ALTER COLUMN id SET DEFAULT nextval('public.accounts_id_seq'::regclass);


--
-- Name: audit id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit ALTER COLUMN id SET DEFAULT nextval('public.audit_id_seq'::regclass);


--
-- Name: ledger id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger ALTER COLUMN id SET DEFAULT nextval('public.ledger_id_seq'::regclass);


--
-- Name: quota_policies id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.quota_policies ALTER COLUMN id SET DEFAULT nextval('public.quota_policies_id_seq'::regclass);


--
-- Name: usage_marks id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.usage_marks ALTER COLUMN id SET DEFAULT nextval('public.usage_marks_id_seq'::regclass);


--
-- Data for Name: accounts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.accounts VALUES (1, 'member', 9007199254741003, 9007199254741069, 'day', '2026-02-02 00:00:00+00', 0, 0, 100);
INSERT INTO public.accounts VALUES (2, 'member', 9007199254741003, 9007199254741069, 'day', '2026-03-09 00:00:00+00', 77, 200, 130);
INSERT INTO public.accounts VALUES (3, 'member', 9007199254741003, 9007199254741069, 'hour', '2026-03-09 12:00:00+00', 77, 200, 130);
INSERT INTO public.accounts VALUES (4, 'global', 0, 0, 'day', '2026-03-09 00:00:00+00', 0, 200, 130);
INSERT INTO public.accounts VALUES (5, 'guild', 9007199254741003, 0, 'month', '2026-03-01 00:00:00+00', 0, 200, 130);
INSERT INTO public.accounts VALUES (9, 'member', 0, 9007199254741069, 'day', '2026-03-09 00:00:00+00', 0, 0, 0);
INSERT INTO public.accounts VALUES (12, 'member', 9007199254741003, 9223372036854775807, 'day', '2026-03-09 00:00:00+00', 0, 0, 0);
INSERT INTO public.accounts VALUES (13, 'member', 9007199254741003, 9223372036854775807, 'hour', '2026-03-09 12:00:00+00', 0, 0, 0);


--
-- Data for Name: acknowledgements; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.acknowledgements VALUES (2305843009213693952, 'token', '2026-03-14 14:15:00+00', 'zh-CN', 'bot', '2026-03-14 14:00:20+00');


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('8c2f60d91ab7');


--
-- Data for Name: approvals; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.approvals VALUES (9007199254741003, 0, 1152921504606846976, 9007199254741069, NULL);


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit VALUES (1, 9007199254741003, 4611686018427387904, 'safety', '', 'null', '"spoiler"', '2026-03-09 12:00:00+00');
INSERT INTO public.audit VALUES (2, 9007199254741003, 4611686018427387904, 'word', 'Wärter', 'null', '"block"', '2026-03-09 12:00:00+00');
INSERT INTO public.audit VALUES (3, 9007199254741003, 4611686018427387904, 'preset', 'ink', 'null', '{"title":"In ink","prompt":"sha256:5f200c4d","strength":0.6}', '2026-03-09 12:00:00+00');
INSERT INTO public.audit VALUES (4, 9007199254741003, 4611686018427387904, 'preset', 'night', 'null', '"hidden"', '2026-03-09 12:00:00+00');
INSERT INTO public.audit VALUES (5, 9007199254741003, 9007199254741069, 'block', '9007199254741070', NULL, '{"blocked":"for good","reason":"spam \u2603"}', '2026-03-14 14:00:00+00');
INSERT INTO public.audit VALUES (6, 9007199254741003, 9007199254741069, 'priority', 'role 9007199254740997', '1.0', '2.5', '2026-11-22 14:32:34.236305+00');
INSERT INTO public.audit VALUES (7, 9007199254741003, 9007199254741069, 'word', 'gore', NULL, '"warn"', '2026-03-14 14:00:00+00');
INSERT INTO public.audit VALUES (8, 9007199254741003, 9007199254741069, 'retention', '', NULL, '7', '2026-03-14 14:00:00+00');
INSERT INTO public.audit VALUES (9, 9007199254741003, 9007199254741069, 'time_zone', '', NULL, '"Europe/Berlin"', '2026-03-14 14:00:00+00');
INSERT INTO public.audit VALUES (10, 9007199254741003, 9007199254741069, 'pipeline', 'style', '"on"', '"off"', '2026-03-14 14:00:00+00');
INSERT INTO public.audit VALUES (11, 9007199254741003, 9007199254741069, 'approval', 'everywhere', NULL, '"#1152921504606846976"', '2026-03-14 14:00:00+00');
INSERT INTO public.audit VALUES (12, 9007199254741003, 9007199254741069, 'digest', '', NULL, '"#1152921504606846976"', '2026-03-14 14:00:00+00');
INSERT INTO public.audit VALUES (13, 9007199254741003, 9007199254741069, 'quota', 'channel 1152921504606846976 month', NULL, '"1000 s"', '2026-03-14 14:00:00+00');


--
-- Data for Name: blocks; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.blocks VALUES (9007199254741003, 9007199254741070, 'spam ☃', NULL, '2026-03-14 14:00:00+00');


--
-- Data for Name: digests; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.digests VALUES (9007199254741003, 1152921504606846976, 9007199254741069, '2026-03-14', NULL, NULL, NULL);


--
-- Data for Name: files; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.files VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 7, 'aa/aa/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'image/png', '2026-03-09 12:00:00+00');
INSERT INTO public.files VALUES ('bd373d848fab9dcaed8b6672801d0f5a694585e0844284c1ee5369d1c1d1feca', 42, 'bd/37/bd373d848fab9dcaed8b6672801d0f5a694585e0844284c1ee5369d1c1d1feca', 'image/png', '2026-03-09 12:00:00+00');
INSERT INTO public.files VALUES ('bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 7, 'bb/bb/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'image/png', '2026-03-09 12:00:00+00');


--
-- Data for Name: guild_presets; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.guild_presets VALUES (9007199254741003, 'ink', '{"title":"In ink","prompt":"ink drawing, {words}","strength":0.6}', '2026-03-09 12:00:00+00');
INSERT INTO public.guild_presets VALUES (9007199254741003, 'night', 'null', '2026-03-09 12:00:00+00');


--
-- Data for Name: guild_settings; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.guild_settings VALUES (9007199254741003, 'spoiler', '2026-03-14 14:00:00+00', 'Europe/Berlin', 7, NULL, NULL, NULL, NULL, NULL);


--
-- Data for Name: guilds; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.guilds VALUES (0, '2026-03-09 12:00:00+00', NULL);
INSERT INTO public.guilds VALUES (9007199254741003, '2026-02-02 12:00:00+00', NULL);


--
-- Data for Name: inputs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.inputs VALUES ('12d8d1487315493397b110e5dcea7c58', 'image', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO public.inputs VALUES ('18efb21451634e8d85bcc1c4b0d910f2', 'image', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO public.inputs VALUES ('18efb21451634e8d85bcc1c4b0d910f2', 'style_image', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb');
INSERT INTO public.inputs VALUES ('1ec5b940943f494ba2605b479134b8fe', 'image', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO public.inputs VALUES ('c02f0dd53cdc465ab847d49461d08fde', 'image', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');
INSERT INTO public.inputs VALUES ('3c5753242ae4435f954a2dba9154c71b', 'image', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');


--
-- Data for Name: jobs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.jobs VALUES ('24261beb113447298e74f7579358a601', 18014398509481991, 9007199254741003, 9223372036854775807, 9007199254741069, 'remix', 'img2img', NULL, NULL, 'null', 4294967295, 'en-US', NULL, 'nonce-7', NULL, '2026-03-14 12:15:00+00', 'done', 1, NULL, NULL, 100, 100, 0, NULL, 'null', '2026-02-02 12:00:00+00', '2026-02-02 12:00:00+00', '2026-02-02 12:00:00+00', NULL, NULL, NULL, '2026-03-09 12:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.jobs VALUES ('1ec5b940943f494ba2605b479134b8fe', 18014398509481994, 9007199254741003, 9223372036854775807, 9223372036854775807, 'remix', 'img2img', NULL, 'night', '{"strength":0.7}', 4294967295, 'en-US', NULL, 'nonce-10', 'token-10', '2026-03-14 12:15:00+00', 'done', 1, NULL, NULL, 100, 0, 0, NULL, 'null', '2026-03-09 12:00:00+00', '2026-03-09 12:00:00+00', '2026-03-09 12:00:00+00', NULL, NULL, '2026-03-09 12:00:00+00', NULL, NULL, NULL, 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.jobs VALUES ('18efb21451634e8d85bcc1c4b0d910f2', 18014398509481993, 0, 9223372036854775807, 9007199254741069, 'remix', 'img2img', NULL, 'night', '{"strength":0.7}', 4294967295, 'en-US', '12d8d1487315493397b110e5dcea7c58', 'nonce-9', 'token-9', '2026-03-14 12:15:00+00', 'failed', 1, NULL, NULL, 100, 0, 0, 'EngineLostError', 'null', '2026-03-09 12:00:00+00', '2026-03-09 12:00:00+00', '2026-03-09 12:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, 14, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.jobs VALUES ('12d8d1487315493397b110e5dcea7c58', 18014398509481992, 9007199254741003, 9223372036854775807, 9007199254741069, 'remix', 'img2img', NULL, 'night ☃ ''; -- 
 two lines', '{"strength":0.1,"layers":["grain"],"x":null}', 4294967295, 'zh-CN', NULL, 'nonce-8', 'token-8', '2026-03-14 12:15:00+00', 'done', 1, NULL, NULL, 100, 130, 0, NULL, 'null', '2026-03-09 12:00:00+00', '2026-03-09 12:00:00+00', '2026-03-09 12:00:00+00', 4611686018427387904, '2026-03-09 12:00:00+00', NULL, NULL, NULL, 1, 7, 42, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.jobs VALUES ('3c5753242ae4435f954a2dba9154c71b', 18014398509481996, 9007199254741003, 9223372036854775807, 9007199254741069, 'remix', 'img2img', NULL, 'night', '{"strength":0.7}', 4294967295, 'en-US', NULL, 'nonce-12', 'token-12', '2026-03-14 12:15:00+00', 'held', 1, NULL, NULL, 100, NULL, 432000000, NULL, NULL, '2026-03-09 12:00:00+00', '2026-03-14 12:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 7, NULL, NULL, NULL, NULL, NULL, NULL, '2026-03-14 12:00:00+00');
INSERT INTO public.jobs VALUES ('c02f0dd53cdc465ab847d49461d08fde', 18014398509481995, 9007199254741003, 9223372036854775807, 9007199254741069, 'remix', 'img2img', 'mine', '', '{"strength":0.7}', 4294967295, 'en-US', NULL, 'nonce-11', 'token-11', '2026-03-14 12:15:00+00', 'running', 2, 'worker', '2026-03-14 14:01:00+00', 100, NULL, 0, NULL, 'null', '2026-03-09 12:00:00+00', '2026-03-09 12:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 7, NULL, NULL, NULL, NULL, NULL, NULL, NULL);


--
-- Data for Name: key_values; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.key_values VALUES ('commands', 'hash', '2026-03-09 12:00:00+00');


--
-- Data for Name: ledger; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ledger VALUES (1, 1, '24261beb113447298e74f7579358a601', 'reserve', 100, '2026-02-02 12:00:00+00');
INSERT INTO public.ledger VALUES (2, 1, '24261beb113447298e74f7579358a601', 'settle', 100, '2026-02-02 12:00:00+00');
INSERT INTO public.ledger VALUES (3, 2, NULL, 'grant', 77, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (4, 3, NULL, 'grant', 77, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (5, 4, '12d8d1487315493397b110e5dcea7c58', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (6, 5, '12d8d1487315493397b110e5dcea7c58', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (7, 2, '12d8d1487315493397b110e5dcea7c58', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (8, 3, '12d8d1487315493397b110e5dcea7c58', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (9, 4, '12d8d1487315493397b110e5dcea7c58', 'settle', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (10, 4, '12d8d1487315493397b110e5dcea7c58', 'overrun', 30, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (11, 5, '12d8d1487315493397b110e5dcea7c58', 'settle', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (12, 5, '12d8d1487315493397b110e5dcea7c58', 'overrun', 30, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (13, 2, '12d8d1487315493397b110e5dcea7c58', 'settle', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (14, 2, '12d8d1487315493397b110e5dcea7c58', 'overrun', 30, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (15, 3, '12d8d1487315493397b110e5dcea7c58', 'settle', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (16, 3, '12d8d1487315493397b110e5dcea7c58', 'overrun', 30, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (17, 4, '18efb21451634e8d85bcc1c4b0d910f2', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (18, 9, '18efb21451634e8d85bcc1c4b0d910f2', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (19, 4, '18efb21451634e8d85bcc1c4b0d910f2', 'refund', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (20, 9, '18efb21451634e8d85bcc1c4b0d910f2', 'refund', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (21, 4, '1ec5b940943f494ba2605b479134b8fe', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (22, 5, '1ec5b940943f494ba2605b479134b8fe', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (23, 12, '1ec5b940943f494ba2605b479134b8fe', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (24, 13, '1ec5b940943f494ba2605b479134b8fe', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (25, 4, '1ec5b940943f494ba2605b479134b8fe', 'refund', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (26, 5, '1ec5b940943f494ba2605b479134b8fe', 'refund', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (27, 12, '1ec5b940943f494ba2605b479134b8fe', 'refund', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (28, 13, '1ec5b940943f494ba2605b479134b8fe', 'refund', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (29, 4, 'c02f0dd53cdc465ab847d49461d08fde', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (30, 5, 'c02f0dd53cdc465ab847d49461d08fde', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (31, 2, 'c02f0dd53cdc465ab847d49461d08fde', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (32, 3, 'c02f0dd53cdc465ab847d49461d08fde', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (33, 4, '3c5753242ae4435f954a2dba9154c71b', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (34, 5, '3c5753242ae4435f954a2dba9154c71b', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (35, 2, '3c5753242ae4435f954a2dba9154c71b', 'reserve', 100, '2026-03-09 12:00:00+00');
INSERT INTO public.ledger VALUES (36, 3, '3c5753242ae4435f954a2dba9154c71b', 'reserve', 100, '2026-03-09 12:00:00+00');


--
-- Data for Name: left_out; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.left_out VALUES (43, '2026-11-22 14:50:00+00');


--
-- Data for Name: members; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.members VALUES (9007199254741003, 9007199254741069, '2026-02-02 12:00:00+00');
INSERT INTO public.members VALUES (0, 9007199254741069, '2026-03-09 12:00:00+00');
INSERT INTO public.members VALUES (9007199254741003, 9223372036854775807, '2026-03-09 12:00:00+00');


--
-- Data for Name: outputs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.outputs VALUES ('12d8d1487315493397b110e5dcea7c58', 'bd373d848fab9dcaed8b6672801d0f5a694585e0844284c1ee5369d1c1d1feca', '2026-03-09 12:00:00+00', 0, NULL, NULL, NULL, NULL);
INSERT INTO public.outputs VALUES ('3c5753242ae4435f954a2dba9154c71b', 'bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', '2026-03-14 12:00:00+00', 0, NULL, NULL, NULL, NULL);


--
-- Data for Name: previews; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.previews VALUES ('c02f0dd53cdc465ab847d49461d08fde', '\x70726576696577', '2026-03-14 14:00:00+00');


--
-- Data for Name: priorities; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.priorities VALUES (9007199254741003, 'role', 9007199254740997, 2.5);


--
-- Data for Name: quota_policies; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.quota_policies VALUES (1, 'member', 9007199254741003, 0, 'hour', 9000, '2026-03-09 12:00:00+00');
INSERT INTO public.quota_policies VALUES (2, 'guild', 9007199254741003, 0, 'month', 9000, '2026-03-09 12:00:00+00');
INSERT INTO public.quota_policies VALUES (3, 'global', 0, 0, 'day', 9000, '2026-03-09 12:00:00+00');
INSERT INTO public.quota_policies VALUES (4, 'channel', 9007199254741003, 1152921504606846976, 'month', 1000000, '2026-03-14 14:00:00+00');


--
-- Data for Name: reviews; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.reviews VALUES ('3c5753242ae4435f954a2dba9154c71b', 9007199254741003, 1152921504606846976, NULL, 70, NULL, '2026-03-14 12:00:00+00');


--
-- Data for Name: switched_off; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.switched_off VALUES (9007199254741003, 0, 'pipeline', 'style');


--
-- Data for Name: usage; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.usage VALUES ('guild', 'day', 9007199254741003, '2026-02-02 00:00:00+00', 0, 0, 0, '', '', 1, 1, 0, 0, 1, 100, 0, 1, 0, 0, 0, 0, '{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO public.usage VALUES ('guild', 'day', 0, '2026-03-09 00:00:00+00', 0, 0, 0, '', '', 1, 0, 1, 0, 0, 0, 100, 1, 0, 0, 14, 14, '{"waits":{"0":1},"runs":{},"causes":{"EngineLostError":1}}');
INSERT INTO public.usage VALUES ('guild', 'day', 9007199254741003, '2026-03-09 00:00:00+00', 0, 0, 0, '', '', 4, 2, 0, 0, 2, 130, 100, 4, 432000000, 0, 70, 70, '{"waits":{"0":3,"193":1},"runs":{"0":2},"causes":{}}');
INSERT INTO public.usage VALUES ('guild', 'day', -1, '2026-02-02 00:00:00+00', 0, 0, 0, '', '', 1, 1, 0, 0, 1, 100, 0, 1, 0, 0, 0, 0, '{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO public.usage VALUES ('guild', 'day', -1, '2026-03-09 00:00:00+00', 0, 0, 0, '', '', 5, 2, 1, 0, 2, 130, 200, 5, 432000000, 0, 84, 84, '{"waits":{"0":4,"193":1},"runs":{"0":2},"causes":{"EngineLostError":1}}');
INSERT INTO public.usage VALUES ('guild', 'month', 9007199254741003, '2026-02-01 00:00:00+00', 0, 0, 0, '', '', 1, 1, 0, 0, 1, 100, 0, 1, 0, 0, 0, 0, '{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO public.usage VALUES ('model', 'month', 9007199254741003, '2026-02-01 00:00:00+00', 0, 0, 0, 'img2img', '', 1, 1, 0, 0, 1, 100, 0, 1, 0, 0, 0, 0, '{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO public.usage VALUES ('guild', 'month', -1, '2026-02-01 00:00:00+00', 0, 0, 0, '', '', 1, 1, 0, 0, 1, 100, 0, 1, 0, 0, 0, 0, '{"waits":{"0":1},"runs":{"0":1},"causes":{}}');
INSERT INTO public.usage VALUES ('model', 'month', -1, '2026-02-01 00:00:00+00', 0, 0, 0, 'img2img', '', 1, 1, 0, 0, 1, 100, 0, 1, 0, 0, 0, 0, '{"waits":{"0":1},"runs":{"0":1},"causes":{}}');


--
-- Data for Name: usage_days; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: usage_marks; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.usage_marks VALUES (12, 'month', 0, '2026-03-01 00:00:00+00');
INSERT INTO public.usage_marks VALUES (13, 'month', 9007199254741003, '2026-03-01 00:00:00+00');
INSERT INTO public.usage_marks VALUES (16, 'month', -1, '2026-03-01 00:00:00+00');
INSERT INTO public.usage_marks VALUES (17, 'month', 9007199254741003, '2026-02-01 00:00:00+00');
INSERT INTO public.usage_marks VALUES (18, 'month', 9007199254741003, '2026-02-01 00:00:00+00');
INSERT INTO public.usage_marks VALUES (19, 'month', -1, '2026-02-01 00:00:00+00');
INSERT INTO public.usage_marks VALUES (20, 'month', -1, '2026-02-01 00:00:00+00');
INSERT INTO public.usage_marks VALUES (21, 'day', 9007199254741003, '2026-02-02 00:00:00+00');
INSERT INTO public.usage_marks VALUES (22, 'day', 0, '2026-03-09 00:00:00+00');
INSERT INTO public.usage_marks VALUES (23, 'day', 9007199254741003, '2026-03-09 00:00:00+00');
INSERT INTO public.usage_marks VALUES (24, 'day', -1, '2026-02-02 00:00:00+00');
INSERT INTO public.usage_marks VALUES (25, 'day', -1, '2026-03-09 00:00:00+00');
INSERT INTO public.usage_marks VALUES (26, 'day', 9007199254741003, '2026-03-09 00:00:00+00');
INSERT INTO public.usage_marks VALUES (27, 'day', 9007199254741003, '2026-02-02 00:00:00+00');
INSERT INTO public.usage_marks VALUES (28, 'day', 0, '2026-03-09 00:00:00+00');


--
-- Data for Name: word_rules; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.word_rules VALUES (9007199254741003, 'warter', 'Wärter', 'block', '2026-03-09 12:00:00+00');
INSERT INTO public.word_rules VALUES (9007199254741003, 'gore', 'gore', 'warn', '2026-03-14 14:00:00+00');


--
-- Data for Name: word_warnings; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.word_warnings VALUES (1152921504606846976, 9007199254741003, 9007199254741069, '2026-03-14 14:00:00+00');


--
-- Name: accounts_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.accounts_id_seq', 13, true);


--
-- Name: audit_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.audit_id_seq', 13, true);


--
-- Name: ledger_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.ledger_id_seq', 36, true);


--
-- Name: quota_policies_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.quota_policies_id_seq', 4, true);


--
-- Name: usage_marks_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.usage_marks_id_seq', 28, true);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: accounts pk_accounts; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT pk_accounts PRIMARY KEY (id);


--
-- Name: acknowledgements pk_acknowledgements; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.acknowledgements
    ADD CONSTRAINT pk_acknowledgements PRIMARY KEY (interaction_id);


--
-- Name: approvals pk_approvals; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT pk_approvals PRIMARY KEY (guild_id, channel_id);


--
-- Name: audit pk_audit; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT pk_audit PRIMARY KEY (id);


--
-- Name: blocks pk_blocks; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.blocks
    ADD CONSTRAINT pk_blocks PRIMARY KEY (guild_id, member_id);


--
-- Name: digests pk_digests; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.digests
    ADD CONSTRAINT pk_digests PRIMARY KEY (guild_id);


--
-- Name: files pk_files; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.files
    ADD CONSTRAINT pk_files PRIMARY KEY (sha256);


--
-- Name: guild_presets pk_guild_presets; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guild_presets
    ADD CONSTRAINT pk_guild_presets PRIMARY KEY (guild_id, name);


--
-- Name: guild_settings pk_guild_settings; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guild_settings
    ADD CONSTRAINT pk_guild_settings PRIMARY KEY (guild_id);


--
-- Name: guilds pk_guilds; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guilds
    ADD CONSTRAINT pk_guilds PRIMARY KEY (id);


--
-- Name: inputs pk_inputs; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.inputs
    ADD CONSTRAINT pk_inputs PRIMARY KEY (job_id, role);


--
-- Name: jobs pk_jobs; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT pk_jobs PRIMARY KEY (id);


--
-- Name: key_values pk_key_values; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.key_values
    ADD CONSTRAINT pk_key_values PRIMARY KEY (key);


--
-- Name: ledger pk_ledger; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT pk_ledger PRIMARY KEY (id);


--
-- Name: left_out pk_left_out; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.left_out
    ADD CONSTRAINT pk_left_out PRIMARY KEY (member_id);


--
-- Name: members pk_members; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.members
    ADD CONSTRAINT pk_members PRIMARY KEY (guild_id, member_id);


--
-- Name: outputs pk_outputs; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outputs
    ADD CONSTRAINT pk_outputs PRIMARY KEY (job_id, number);


--
-- Name: previews pk_previews; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.previews
    ADD CONSTRAINT pk_previews PRIMARY KEY (job_id);


--
-- Name: priorities pk_priorities; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.priorities
    ADD CONSTRAINT pk_priorities PRIMARY KEY (guild_id, scope, subject_id);


--
-- Name: quota_policies pk_quota_policies; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.quota_policies
    ADD CONSTRAINT pk_quota_policies PRIMARY KEY (id);


--
-- Name: reviews pk_reviews; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT pk_reviews PRIMARY KEY (job_id);


--
-- Name: switched_off pk_switched_off; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.switched_off
    ADD CONSTRAINT pk_switched_off PRIMARY KEY (guild_id, channel_id, kind, name);


--
-- Name: usage pk_usage; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.usage
    ADD CONSTRAINT pk_usage PRIMARY KEY (cut, grain, guild_id, start, member_id, channel_id, role_id, pipeline, model);


--
-- Name: usage_days pk_usage_days; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.usage_days
    ADD CONSTRAINT pk_usage_days PRIMARY KEY (guild_id, start);


--
-- Name: usage_marks pk_usage_marks; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.usage_marks
    ADD CONSTRAINT pk_usage_marks PRIMARY KEY (id);


--
-- Name: word_rules pk_word_rules; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.word_rules
    ADD CONSTRAINT pk_word_rules PRIMARY KEY (guild_id, plain);


--
-- Name: word_warnings pk_word_warnings; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.word_warnings
    ADD CONSTRAINT pk_word_warnings PRIMARY KEY (interaction_id);


--
-- Name: accounts uq_accounts_scope_guild_id_member_id_period_window_start; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT uq_accounts_scope_guild_id_member_id_period_window_start UNIQUE (scope, guild_id, member_id, period, window_start);


--
-- Name: jobs uq_jobs_interaction_id; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT uq_jobs_interaction_id UNIQUE (interaction_id);


--
-- Name: jobs uq_jobs_nonce; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT uq_jobs_nonce UNIQUE (nonce);


--
-- Name: ledger uq_ledger_account_id_job_id_kind; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT uq_ledger_account_id_job_id_kind UNIQUE (account_id, job_id, kind);


--
-- Name: quota_policies uq_quota_policies_scope_guild_id_member_id_period; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.quota_policies
    ADD CONSTRAINT uq_quota_policies_scope_guild_id_member_id_period UNIQUE (scope, guild_id, member_id, period);


--
-- Name: ix_audit_guild_id_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_audit_guild_id_id ON public.audit USING btree (guild_id, id);


--
-- Name: ix_inputs_sha256; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_inputs_sha256 ON public.inputs USING btree (sha256);


--
-- Name: ix_jobs_dead; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_jobs_dead ON public.jobs USING btree (guild_id, dead_at) WHERE (dead_at IS NOT NULL);


--
-- Name: ix_jobs_guild_id_created_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_jobs_guild_id_created_at ON public.jobs USING btree (guild_id, created_at);


--
-- Name: ix_jobs_guild_id_member_id_created_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_jobs_guild_id_member_id_created_at ON public.jobs USING btree (guild_id, member_id, created_at);


--
-- Name: ix_jobs_parent_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_jobs_parent_id ON public.jobs USING btree (parent_id);


--
-- Name: ix_jobs_state_created_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_jobs_state_created_at ON public.jobs USING btree (state, created_at);


--
-- Name: ix_jobs_undelivered; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_jobs_undelivered ON public.jobs USING btree (finished_at) WHERE (delivered_at IS NULL);


--
-- Name: ix_ledger_job_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_ledger_job_id ON public.ledger USING btree (job_id);


--
-- Name: ix_outputs_sha256; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_outputs_sha256 ON public.outputs USING btree (sha256);


--
-- Name: ix_reviews_guild_id_created_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_reviews_guild_id_created_at ON public.reviews USING btree (guild_id, created_at);


--
-- Name: ix_usage_marks_grain_start_guild_id; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_usage_marks_grain_start_guild_id ON public.usage_marks USING btree (grain, start, guild_id);


--
-- Name: ix_word_warnings_guild_id_member_id_created_at; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX ix_word_warnings_guild_id_member_id_created_at ON public.word_warnings USING btree (guild_id, member_id, created_at);


--
-- Name: jobs usage_of_jobs; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER usage_of_jobs AFTER INSERT OR DELETE OR UPDATE OF guild_id, created_at, member_id, channel_id, role_ids, pipeline, model, state, error, reserve_ms, device_ms, wait_ms, started_at, finished_at, deleted_at, purged_at, pictures, input_bytes, output_bytes ON public.jobs FOR EACH ROW EXECUTE FUNCTION public.mark_usage();


--
-- Name: approvals fk_approvals_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.approvals
    ADD CONSTRAINT fk_approvals_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: audit fk_audit_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT fk_audit_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: blocks fk_blocks_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.blocks
    ADD CONSTRAINT fk_blocks_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: digests fk_digests_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.digests
    ADD CONSTRAINT fk_digests_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: guild_presets fk_guild_presets_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guild_presets
    ADD CONSTRAINT fk_guild_presets_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: guild_settings fk_guild_settings_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.guild_settings
    ADD CONSTRAINT fk_guild_settings_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: inputs fk_inputs_job_id_jobs; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.inputs
    ADD CONSTRAINT fk_inputs_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id);


--
-- Name: inputs fk_inputs_sha256_files; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.inputs
    ADD CONSTRAINT fk_inputs_sha256_files FOREIGN KEY (sha256) REFERENCES public.files(sha256);


--
-- Name: jobs fk_jobs_guild_id_member_id_members; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_guild_id_member_id_members FOREIGN KEY (guild_id, member_id) REFERENCES public.members(guild_id, member_id);


--
-- Name: jobs fk_jobs_parent_id_jobs; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT fk_jobs_parent_id_jobs FOREIGN KEY (parent_id) REFERENCES public.jobs(id);


--
-- Name: ledger fk_ledger_account_id_accounts; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT fk_ledger_account_id_accounts FOREIGN KEY (account_id) REFERENCES public.accounts(id);


--
-- Name: ledger fk_ledger_job_id_jobs; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT fk_ledger_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id);


--
-- Name: members fk_members_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.members
    ADD CONSTRAINT fk_members_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: outputs fk_outputs_job_id_jobs; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outputs
    ADD CONSTRAINT fk_outputs_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id);


--
-- Name: outputs fk_outputs_sha256_files; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outputs
    ADD CONSTRAINT fk_outputs_sha256_files FOREIGN KEY (sha256) REFERENCES public.files(sha256);


--
-- Name: previews fk_previews_job_id_jobs; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.previews
    ADD CONSTRAINT fk_previews_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id);


--
-- Name: priorities fk_priorities_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.priorities
    ADD CONSTRAINT fk_priorities_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: reviews fk_reviews_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT fk_reviews_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: reviews fk_reviews_job_id_jobs; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.reviews
    ADD CONSTRAINT fk_reviews_job_id_jobs FOREIGN KEY (job_id) REFERENCES public.jobs(id);


--
-- Name: switched_off fk_switched_off_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.switched_off
    ADD CONSTRAINT fk_switched_off_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: word_rules fk_word_rules_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.word_rules
    ADD CONSTRAINT fk_word_rules_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- Name: word_warnings fk_word_warnings_guild_id_guilds; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.word_warnings
    ADD CONSTRAINT fk_word_warnings_guild_id_guilds FOREIGN KEY (guild_id) REFERENCES public.guilds(id);


--
-- PostgreSQL database dump complete
--


