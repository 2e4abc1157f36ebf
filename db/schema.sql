-- Generated from db/migrations by `make schema`. Do not edit.
--
-- The whole schema with its grants, for an empty database that has Supabase's roles and the schema `auth`
-- (db/supabase lays both on a plain PostgreSQL). Roles belong to the cluster and are in no dump:

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'leo_api') then
    create role leo_api nologin noinherit;
  end if;
  if not exists (select from pg_catalog.pg_roles where rolname = 'leo_worker') then
    create role leo_worker nologin inherit;
  end if;
end
$$;
grant authenticated to leo_api;
grant service_role to leo_worker;

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


-- The grants below are complete only where nothing is granted by default, as hosted Supabase does.
DO $$
DECLARE
    v_revoke text;
BEGIN
    FOR v_revoke IN
        SELECT DISTINCT format(
            'ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON %s FROM %s',
            CASE defaclobjtype
                WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' ELSE 'TYPES'
            END,
            CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
        )
        FROM pg_default_acl, aclexplode(defaclacl)
        WHERE defaclnamespace = 'public'::regnamespace AND pg_get_userbyid(defaclrole) = current_user
    LOOP
        EXECUTE v_revoke;
    END LOOP;
END
$$;


--
-- Name: private; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA private;


--
-- Name: SCHEMA private; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON SCHEMA private IS 'Trigger functions and tables that no API role may use. Not exposed by the Data API.';


--
-- Name: generation_mode; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.generation_mode AS ENUM (
    'single-shot',
    'autonomous',
    'confirm_first'
);


--
-- Name: TYPE generation_mode; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.generation_mode IS 'How much a generation does between two questions to its user.';


--
-- Name: generation_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.generation_status AS ENUM (
    'queued',
    'generating',
    'completed',
    'failed',
    'paused',
    'cancelled'
);


--
-- Name: TYPE generation_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.generation_status IS 'Where a generation stands; which moves are legal is the status machine''s business.';


--
-- Name: generation_type; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.generation_type AS ENUM (
    'new',
    'resume'
);


--
-- Name: TYPE generation_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.generation_type IS 'Whether a generation starts from nothing or from an earlier session.';


--
-- Name: sealed_secret; Type: DOMAIN; Schema: public; Owner: -
--

CREATE DOMAIN public.sealed_secret AS text
	CONSTRAINT sealed_secret_form_check CHECK (((VALUE COLLATE "C") ~ '^leo1\.(kms|dev)\.[A-Za-z0-9:/_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$'::text));


--
-- Name: DOMAIN sealed_secret; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON DOMAIN public.sealed_secret IS 'A secret sealed by the package''s ./secrets: leo1.<scheme>.<key>.<wrapped data key>.<nonce, ciphertext, tag>, base64url.';


--
-- Name: snapshot_type; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.snapshot_type AS ENUM (
    'automatic',
    'manual',
    'checkpoint'
);


--
-- Name: TYPE snapshot_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.snapshot_type IS 'Who asked for a snapshot.';


--
-- Name: assert_no_rows(regclass, text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.assert_no_rows(p_table regclass, p_condition text DEFAULT 'true'::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_found boolean;
begin
  execute format('lock table %s in access exclusive mode', p_table);
  execute format('select exists (select from %s where %s)', p_table, p_condition) into v_found;
  if v_found then
    raise exception using
      errcode = 'LEO08',
      message = format('%s still has rows (where %s), which this step would lose', p_table, p_condition),
      hint = 'Move them away first, or restore a backup instead of rolling back.';
  end if;
end
$$;


--
-- Name: FUNCTION assert_no_rows(p_table regclass, p_condition text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.assert_no_rows(p_table regclass, p_condition text) IS 'Locks the table, raises LEO08 when it has a row that meets the condition. For the down sections of migrations.';


--
-- Name: tg__refuse_change(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg__refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception using
    errcode = 'LEO06',
    message = format('%s of %s never change', array_to_string(tg_argv, ', '), tg_table_name),
    schema = tg_table_schema, table = tg_table_name;
end
$$;


--
-- Name: FUNCTION tg__refuse_change(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg__refuse_change() IS 'Trigger: raises LEO06. Its arguments name the frozen columns; the trigger''s WHEN says when one has changed.';


--
-- Name: tg__touch_updated_at(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg__touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  new.updated_at := now();
  return new;
end
$$;


--
-- Name: FUNCTION tg__touch_updated_at(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg__touch_updated_at() IS 'Trigger: sets updated_at to the start of the transaction.';


--
-- Name: tg_deployment_config__refuse_plaintext(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_deployment_config__refuse_plaintext() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- `encrypted` null is refused by its column a moment later; until then it is treated as the dangerous case.
  if new.encrypted is not false then
    perform new.value::public.sealed_secret;
  elsif new.value like 'leo1.%' then
    raise exception using
      errcode = 'LEO07',
      message = 'a value that looks sealed is said not to be encrypted',
      schema = tg_table_schema, table = tg_table_name, column = 'encrypted';
  end if;
  return new;
end
$$;


--
-- Name: FUNCTION tg_deployment_config__refuse_plaintext(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_deployment_config__refuse_plaintext() IS 'Trigger: raises sealed_secret_form_check or LEO07, without the value, when encrypted and the form of value disagree.';


--
-- Name: tg_generation_requests__change_status(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_requests__change_status() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_is_service constant boolean := pg_has_role(current_user, 'service_role', 'usage');
  v_legal public.generation_status[];
  v_users public.generation_status[];
begin
  case old.status
    when 'queued' then
      v_legal := '{generating,paused,cancelled}';
      v_users := '{paused,cancelled}';
    when 'generating' then
      v_legal := '{completed,failed,paused,cancelled,queued}';
      v_users := '{paused,cancelled}';
    when 'paused' then
      v_legal := '{queued,cancelled}';
      v_users := v_legal;
    when 'failed' then
      v_legal := '{queued}';
      v_users := v_legal;
    else
      v_legal := '{}';
      v_users := '{}';
  end case;

  if new.status <> all (v_legal) then
    raise exception using
      errcode = 'LEO01',
      message = format('a generation cannot go from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if not v_is_service and new.status <> all (v_users) then
    raise exception using
      errcode = 'LEO02',
      message = format('only a service may take a generation from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if new.status = 'queued' and not v_is_service then
    if old.status = 'failed' then
      if old.retry_count >= 3 then
        raise exception using
          errcode = 'LEO03',
          message = 'this generation has been retried 3 times already',
          hint = 'Start a new one.',
          schema = tg_table_schema, table = tg_table_name, column = 'status';
      end if;
      new.retry_count := old.retry_count + 1;
    end if;
    new.queue_at := now();
  end if;

  -- The fence: whoever held an earlier attempt finds no row from here on.
  if new.status = 'generating' then
    new.attempt := old.attempt + 1;
  end if;

  -- greatest(): after a fail-over the clock may be behind the one that wrote created_at.
  new.completed_at := case
    when new.status in ('completed', 'failed', 'cancelled') then greatest(now(), new.created_at)
  end;

  return new;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__change_status(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__change_status() IS 'Trigger: the status machine. Raises LEO01, LEO02, LEO03; keeps completed_at, attempt, retry_count and queue_at.';


--
-- Name: tg_generation_requests__enqueue(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_requests__enqueue() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_app_name text;
begin
  if new.app_name is null then
    select a.app_name into v_app_name
    from public.apps as a
    where a.user_id = new.user_id and a.id = new.app_id;

    new.app_name := coalesce(v_app_name, '?');
  end if;

  if new.status in ('completed', 'failed', 'cancelled') and new.completed_at is null then
    new.completed_at := greatest(now(), new.created_at);
  end if;

  return new;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__enqueue(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__enqueue() IS 'Trigger: copies the app''s name, sets completed_at of a request that arrives finished.';


--
-- Name: tg_generation_requests__limit_user(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_requests__limit_user() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if new.max_iterations > 100 then
    raise exception using
      errcode = 'LEO05',
      message = 'a generation may take 100 iterations at most',
      schema = tg_table_schema, table = tg_table_name, column = 'max_iterations';
  end if;

  -- Row security, which looks after this trigger, refuses the row; how full another's queue is, is not for the asker.
  if new.user_id is distinct from (select auth.uid()) then
    return new;
  end if;

  -- An enqueue that is said twice is no second place in the queue: the unique index answers it.
  if tg_op = 'INSERT' and exists (
    select from public.generation_requests as r
    where r.user_id = new.user_id and r.idempotency_key = new.idempotency_key
  ) then
    return new;
  end if;

  -- The count below has to see what the lock has waited for, which an older snapshot would not.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = 'feature_not_supported',
      message = 'users queue generations in READ COMMITTED transactions only',
      schema = tg_table_schema, table = tg_table_name;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('generation_requests.queue:' || new.user_id, 0));

  -- In a statement of its own, so that it sees what the transaction it waited for has committed.
  if (
    select count(*)
    from public.generation_requests as r
    where r.user_id = new.user_id and r.status = 'queued'
  ) >= 20 then
    raise exception using
      errcode = 'LEO04',
      message = '20 generations are queued already',
      hint = 'Wait for one to start, or cancel one.',
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  return new;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__limit_user(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__limit_user() IS 'Trigger: the ceilings for users. Raises LEO04, LEO05.';


--
-- Name: error_codes; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.error_codes (
    code text NOT NULL,
    name text NOT NULL,
    meaning text NOT NULL,
    CONSTRAINT error_codes_code_form_check CHECK ((code ~ '^LEO[0-9]{2}$'::text))
);


--
-- Name: TABLE error_codes; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.error_codes IS 'Every SQLSTATE that this schema raises by itself.';


--
-- Name: COLUMN error_codes.code; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.error_codes.code IS 'The SQLSTATE.';


--
-- Name: COLUMN error_codes.name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.error_codes.name IS 'What TypeScript calls it.';


--
-- Name: COLUMN error_codes.meaning; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.error_codes.meaning IS 'What happened, for people.';


--
-- Name: generation_leases; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.generation_leases (
    user_id uuid NOT NULL,
    generation_request_id integer NOT NULL,
    attempt integer NOT NULL,
    worker text NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT generation_leases_attempt_positive_check CHECK ((attempt > 0)),
    CONSTRAINT generation_leases_worker_printable_check CHECK (((worker COLLATE "C") ~ '^[!-~]+$'::text))
)
WITH (fillfactor='50');


--
-- Name: TABLE generation_leases; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.generation_leases IS 'One row per generation that a worker has taken.';


--
-- Name: COLUMN generation_leases.user_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.generation_leases.user_id IS 'The owner of the generation.';


--
-- Name: COLUMN generation_leases.generation_request_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.generation_leases.generation_request_id IS 'The generation.';


--
-- Name: COLUMN generation_leases.attempt; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.generation_leases.attempt IS 'The attempt of the generation that the lease belongs to.';


--
-- Name: COLUMN generation_leases.worker; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.generation_leases.worker IS 'Which worker has it, as it names itself.';


--
-- Name: COLUMN generation_leases.expires_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.generation_leases.expires_at IS 'From then on another may take it.';


--
-- Name: apps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.apps (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    app_name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT apps_app_name_at_most_120_characters_check CHECK ((char_length(app_name) <= 120)),
    CONSTRAINT apps_app_name_not_blank_check CHECK (((app_name COLLATE "C") ~ '[^\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]'::text))
);

ALTER TABLE ONLY public.apps FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE apps; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.apps IS 'An app that a user builds: its stable identity, over all of its generations.';


--
-- Name: COLUMN apps.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.id IS 'Identifies the app everywhere, GitHub repository names included.';


--
-- Name: COLUMN apps.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.user_id IS 'The Supabase Auth user who owns it; deleting the user deletes it.';


--
-- Name: COLUMN apps.app_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.app_name IS 'Display name, unique among the user''s apps.';


--
-- Name: COLUMN apps.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.created_at IS 'When it was created.';


--
-- Name: deployment_config; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.deployment_config (
    key text NOT NULL,
    value text NOT NULL,
    encrypted boolean DEFAULT false NOT NULL,
    description text,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT deployment_config_encrypted_says_form_check CHECK (
CASE
    WHEN encrypted THEN ((value)::public.sealed_secret IS NOT NULL)
    ELSE (value !~~ 'leo1.%'::text)
END),
    CONSTRAINT deployment_config_key_form_check CHECK ((((key COLLATE "C") ~ '^[A-Za-z][A-Za-z0-9_.-]*$'::text) AND (char_length(key) <= 128)))
);

ALTER TABLE ONLY public.deployment_config FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE deployment_config; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.deployment_config IS 'Settings of the platform itself, one key a row. Services only.';


--
-- Name: COLUMN deployment_config.key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.key IS 'Name of the setting: letters, digits, dot, dash and underscore.';


--
-- Name: COLUMN deployment_config.value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.value IS 'Its value; a sealed secret where encrypted is true, plain text where it is false.';


--
-- Name: COLUMN deployment_config.encrypted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.encrypted IS 'Is value KMS-encrypted? (Or, in development, sealed by the local key.)';


--
-- Name: COLUMN deployment_config.description; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.description IS 'What the setting is for, for people.';


--
-- Name: COLUMN deployment_config.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.updated_at IS 'When the row last changed; kept by trigger.';


--
-- Name: generation_requests; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.generation_requests (
    id integer NOT NULL,
    app_id uuid NOT NULL,
    user_id uuid NOT NULL,
    app_name text NOT NULL,
    prompt text NOT NULL,
    initial_prompt text,
    status public.generation_status DEFAULT 'queued'::public.generation_status NOT NULL,
    generation_type public.generation_type DEFAULT 'new'::public.generation_type NOT NULL,
    mode public.generation_mode NOT NULL,
    github_url text,
    deployment_url text,
    error_message text,
    max_iterations integer DEFAULT 10 NOT NULL,
    current_iteration integer DEFAULT 0 NOT NULL,
    last_session_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    completed_at timestamp with time zone,
    github_commit text,
    attempt integer DEFAULT 0 NOT NULL,
    retry_count smallint DEFAULT 0 NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
    queue_at timestamp with time zone DEFAULT now() NOT NULL,
    idempotency_key text,
    CONSTRAINT generation_requests_app_name_not_blank_check CHECK (((app_name COLLATE "C") ~ '[^\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]'::text)),
    CONSTRAINT generation_requests_attempt_not_negative_check CHECK ((attempt >= 0)),
    CONSTRAINT generation_requests_completed_at_not_before_created_at_check CHECK ((completed_at >= created_at)),
    CONSTRAINT generation_requests_completed_at_set_when_finished_check CHECK (((completed_at IS NOT NULL) = (status = ANY (ARRAY['completed'::public.generation_status, 'failed'::public.generation_status, 'cancelled'::public.generation_status])))),
    CONSTRAINT generation_requests_current_iteration_within_limit_check CHECK (((current_iteration >= 0) AND (current_iteration <= max_iterations))),
    CONSTRAINT generation_requests_deployment_url_is_https_check CHECK (((deployment_url COLLATE "C") ~ '^https://[!-~]+$'::text)),
    CONSTRAINT generation_requests_github_commit_is_sha_check CHECK ((((github_commit COLLATE "C") ~ '^[0-9a-f]+$'::text) AND (char_length(github_commit) = ANY (ARRAY[40, 64])))),
    CONSTRAINT generation_requests_github_url_is_https_check CHECK (((github_url COLLATE "C") ~ '^https://[!-~]+$'::text)),
    CONSTRAINT generation_requests_idempotency_key_form_check CHECK ((((idempotency_key COLLATE "C") ~ '^[!-~]+$'::text) AND (char_length(idempotency_key) <= 200))),
    CONSTRAINT generation_requests_max_iterations_positive_check CHECK ((max_iterations > 0)),
    CONSTRAINT generation_requests_retry_count_not_negative_check CHECK ((retry_count >= 0))
);

ALTER TABLE ONLY public.generation_requests FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE generation_requests; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.generation_requests IS 'The generations of an app, one row each: its versions, its history and, while queued, the job queue.';


--
-- Name: COLUMN generation_requests.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.id IS 'Rises with every request; gaps are normal.';


--
-- Name: COLUMN generation_requests.app_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.app_id IS 'The app that this generation builds.';


--
-- Name: COLUMN generation_requests.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.user_id IS 'The Supabase Auth user who owns the app.';


--
-- Name: COLUMN generation_requests.app_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.app_name IS 'Display name of the app when the generation was enqueued; a later rename leaves it.';


--
-- Name: COLUMN generation_requests.prompt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.prompt IS 'What the user asked for.';


--
-- Name: COLUMN generation_requests.initial_prompt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.initial_prompt IS 'The first prompt that started the generation.';


--
-- Name: COLUMN generation_requests.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.status IS 'Where the generation stands.';


--
-- Name: COLUMN generation_requests.generation_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.generation_type IS 'Started from nothing, or from an earlier session.';


--
-- Name: COLUMN generation_requests.mode; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.mode IS 'How much it does between two questions to the user.';


--
-- Name: COLUMN generation_requests.github_url; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.github_url IS 'The app''s GitHub repository; null until there is one.';


--
-- Name: COLUMN generation_requests.deployment_url; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.deployment_url IS 'Where the app runs on Fly.io; null until it is deployed.';


--
-- Name: COLUMN generation_requests.error_message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.error_message IS 'Why it failed; kept when it is tried again.';


--
-- Name: COLUMN generation_requests.max_iterations; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.max_iterations IS 'How many iterations it may take.';


--
-- Name: COLUMN generation_requests.current_iteration; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.current_iteration IS 'How many iterations it has taken.';


--
-- Name: COLUMN generation_requests.last_session_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.last_session_id IS 'The session to resume its context from.';


--
-- Name: COLUMN generation_requests.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.created_at IS 'When it was enqueued.';


--
-- Name: COLUMN generation_requests.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.updated_at IS 'When the row last changed.';


--
-- Name: COLUMN generation_requests.completed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.completed_at IS 'When it completed, failed or was cancelled; null in every other status, so a retry clears it.';


--
-- Name: COLUMN generation_requests.github_commit; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.github_commit IS 'Commit SHA that this generation ended in; null until there is one.';


--
-- Name: COLUMN generation_requests.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.attempt IS 'Rises whenever a worker takes it; a worker''s writes say the attempt they belong to, and find no row once another has taken over.';


--
-- Name: COLUMN generation_requests.retry_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.retry_count IS 'How often its user has retried it after a failure. Users cannot write it.';


--
-- Name: COLUMN generation_requests.priority; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.priority IS 'Higher is taken first. Set by services only.';


--
-- Name: COLUMN generation_requests.queue_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.queue_at IS 'Not taken before this time, and among equals the earliest first.';


--
-- Name: COLUMN generation_requests.idempotency_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.idempotency_key IS 'Chosen by the caller; the same key enqueues once. Null for callers that do not care.';


--
-- Name: generation_requests_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.generation_requests_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: generation_requests_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.generation_requests_id_seq OWNED BY public.generation_requests.id;


--
-- Name: iteration_snapshots; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.iteration_snapshots (
    id integer NOT NULL,
    generation_request_id integer NOT NULL,
    iteration_number integer NOT NULL,
    snapshot_type public.snapshot_type NOT NULL,
    files_snapshot text,
    prompt_used text,
    "timestamp" timestamp with time zone DEFAULT now() NOT NULL,
    metadata jsonb,
    user_id uuid NOT NULL,
    CONSTRAINT iteration_snapshots_iteration_number_not_negative_check CHECK ((iteration_number >= 0)),
    CONSTRAINT iteration_snapshots_metadata_is_object_check CHECK ((jsonb_typeof(metadata) = 'object'::text))
);

ALTER TABLE ONLY public.iteration_snapshots FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE iteration_snapshots; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.iteration_snapshots IS 'Checkpoints within a generation: all files as they stood after an iteration.';


--
-- Name: COLUMN iteration_snapshots.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.id IS 'Rises with every snapshot; gaps are normal.';


--
-- Name: COLUMN iteration_snapshots.generation_request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.generation_request_id IS 'The generation that was checkpointed.';


--
-- Name: COLUMN iteration_snapshots.iteration_number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.iteration_number IS 'The iteration after which it was taken; 0 is before the first.';


--
-- Name: COLUMN iteration_snapshots.snapshot_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.snapshot_type IS 'Who asked for it.';


--
-- Name: COLUMN iteration_snapshots.files_snapshot; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.files_snapshot IS 'JSON object of path to content, for all files. Text, because old rows hold what jsonb refuses.';


--
-- Name: COLUMN iteration_snapshots.prompt_used; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.prompt_used IS 'The prompt of the iteration.';


--
-- Name: COLUMN iteration_snapshots."timestamp"; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots."timestamp" IS 'When it was taken.';


--
-- Name: COLUMN iteration_snapshots.metadata; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.metadata IS 'Tokens, duration and changed files of the iteration.';


--
-- Name: COLUMN iteration_snapshots.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.user_id IS 'The Supabase Auth user who owns the generation.';


--
-- Name: iteration_snapshots_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.iteration_snapshots_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: iteration_snapshots_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.iteration_snapshots_id_seq OWNED BY public.iteration_snapshots.id;


--
-- Name: user_secrets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_secrets (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    provider text NOT NULL,
    encrypted_token public.sealed_secret NOT NULL,
    expires_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_secrets_provider_is_slug_check CHECK ((((provider COLLATE "C") ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$'::text) AND (char_length(provider) <= 64)))
);

ALTER TABLE ONLY public.user_secrets FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE user_secrets; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.user_secrets IS 'OAuth tokens of users, one per provider, sealed by KMS.';


--
-- Name: COLUMN user_secrets.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.id IS 'Identifies the connection.';


--
-- Name: COLUMN user_secrets.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.user_id IS 'The Supabase Auth user whose token it is; deleting the user deletes it.';


--
-- Name: COLUMN user_secrets.provider; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.provider IS 'Where the token is good: supabase, github, fly and so on, as a slug.';


--
-- Name: COLUMN user_secrets.encrypted_token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.encrypted_token IS 'The OAuth token set, KMS-encrypted (in development, sealed by the local key). Never granted to users.';


--
-- Name: COLUMN user_secrets.expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.expires_at IS 'When the access token expires; null if it does not.';


--
-- Name: COLUMN user_secrets.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.created_at IS 'When the user connected the provider.';


--
-- Name: COLUMN user_secrets.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.updated_at IS 'When the row last changed; kept by trigger.';


--
-- Name: generation_requests id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_requests ALTER COLUMN id SET DEFAULT nextval('public.generation_requests_id_seq'::regclass);


--
-- Name: iteration_snapshots id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.iteration_snapshots ALTER COLUMN id SET DEFAULT nextval('public.iteration_snapshots_id_seq'::regclass);


--
-- Name: error_codes error_codes_name_key; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.error_codes
    ADD CONSTRAINT error_codes_name_key UNIQUE (name);


--
-- Name: error_codes error_codes_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.error_codes
    ADD CONSTRAINT error_codes_pkey PRIMARY KEY (code);


--
-- Name: generation_leases generation_leases_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.generation_leases
    ADD CONSTRAINT generation_leases_pkey PRIMARY KEY (user_id, generation_request_id);


--
-- Name: apps apps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_pkey PRIMARY KEY (id);


--
-- Name: apps apps_user_id_app_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_user_id_app_name_key UNIQUE (user_id, app_name);


--
-- Name: apps apps_user_id_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_user_id_id_key UNIQUE (user_id, id);


--
-- Name: deployment_config deployment_config_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deployment_config
    ADD CONSTRAINT deployment_config_pkey PRIMARY KEY (key);


--
-- Name: generation_requests generation_requests_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_requests
    ADD CONSTRAINT generation_requests_pkey PRIMARY KEY (id);


--
-- Name: generation_requests generation_requests_user_id_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_requests
    ADD CONSTRAINT generation_requests_user_id_id_key UNIQUE (user_id, id);


--
-- Name: iteration_snapshots iteration_snapshots_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.iteration_snapshots
    ADD CONSTRAINT iteration_snapshots_pkey PRIMARY KEY (id);


--
-- Name: user_secrets user_secrets_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_secrets
    ADD CONSTRAINT user_secrets_pkey PRIMARY KEY (id);


--
-- Name: user_secrets user_secrets_user_id_provider_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_secrets
    ADD CONSTRAINT user_secrets_user_id_provider_key UNIQUE (user_id, provider);


--
-- Name: apps_user_id_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX apps_user_id_created_at_id_idx ON public.apps USING btree (user_id, created_at DESC, id DESC);


--
-- Name: INDEX apps_user_id_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.apps_user_id_created_at_id_idx IS 'Serves apps.list: one user''s apps, newest first, page by page.';


--
-- Name: generation_requests_priority_queue_at_id_queued_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_requests_priority_queue_at_id_queued_idx ON public.generation_requests USING btree (priority DESC, queue_at, id) WHERE (status = 'queued'::public.generation_status);


--
-- Name: INDEX generation_requests_priority_queue_at_id_queued_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_requests_priority_queue_at_id_queued_idx IS 'Serves the claim: what a worker takes next.';


--
-- Name: generation_requests_user_id_app_id_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_requests_user_id_app_id_id_idx ON public.generation_requests USING btree (user_id, app_id, id);


--
-- Name: INDEX generation_requests_user_id_app_id_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_requests_user_id_app_id_id_idx IS 'Serves the foreign key to apps, and an app''s generations in order.';


--
-- Name: INDEX generation_requests_user_id_id_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_requests_user_id_id_key IS 'Target of the children''s foreign keys; one user''s generations in order.';


--
-- Name: generation_requests_user_id_idempotency_key_key; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX generation_requests_user_id_idempotency_key_key ON public.generation_requests USING btree (user_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);


--
-- Name: INDEX generation_requests_user_id_idempotency_key_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_requests_user_id_idempotency_key_key IS 'One generation per user and idempotency key.';


--
-- Name: generation_requests_user_id_queue_at_queued_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_requests_user_id_queue_at_queued_idx ON public.generation_requests USING btree (user_id, queue_at) WHERE (status = 'queued'::public.generation_status);


--
-- Name: INDEX generation_requests_user_id_queue_at_queued_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_requests_user_id_queue_at_queued_idx IS 'Serves the limit on queued generations per user.';


--
-- Name: iteration_snapshots_user_id_generation_request_id_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX iteration_snapshots_user_id_generation_request_id_id_idx ON public.iteration_snapshots USING btree (user_id, generation_request_id, id);


--
-- Name: INDEX iteration_snapshots_user_id_generation_request_id_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.iteration_snapshots_user_id_generation_request_id_id_idx IS 'Serves the foreign key to generation_requests, and a generation''s snapshots in order.';


--
-- Name: generation_requests _100_change_status; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_change_status BEFORE UPDATE OF status ON public.generation_requests FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION private.tg_generation_requests__change_status();


--
-- Name: generation_requests _100_enqueue; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_enqueue BEFORE INSERT ON public.generation_requests FOR EACH ROW EXECUTE FUNCTION private.tg_generation_requests__enqueue();


--
-- Name: generation_requests _100_freeze_identity; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_freeze_identity BEFORE UPDATE OF id, user_id, app_id, app_name, created_at ON public.generation_requests FOR EACH ROW WHEN (((old.id IS DISTINCT FROM new.id) OR (old.user_id IS DISTINCT FROM new.user_id) OR (old.app_id IS DISTINCT FROM new.app_id) OR (old.app_name IS DISTINCT FROM new.app_name) OR (old.created_at IS DISTINCT FROM new.created_at))) EXECUTE FUNCTION private.tg__refuse_change('id', 'user_id', 'app_id', 'app_name', 'created_at');


--
-- Name: deployment_config _100_refuse_plaintext; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_refuse_plaintext BEFORE INSERT OR UPDATE ON public.deployment_config FOR EACH ROW EXECUTE FUNCTION private.tg_deployment_config__refuse_plaintext();


--
-- Name: deployment_config _100_touch_updated_at; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_touch_updated_at BEFORE UPDATE ON public.deployment_config FOR EACH ROW EXECUTE FUNCTION private.tg__touch_updated_at();


--
-- Name: generation_requests _100_touch_updated_at; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_touch_updated_at BEFORE UPDATE ON public.generation_requests FOR EACH ROW EXECUTE FUNCTION private.tg__touch_updated_at();


--
-- Name: user_secrets _100_touch_updated_at; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_touch_updated_at BEFORE UPDATE ON public.user_secrets FOR EACH ROW EXECUTE FUNCTION private.tg__touch_updated_at();


--
-- Name: generation_requests _200_limit_user; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _200_limit_user BEFORE INSERT ON public.generation_requests FOR EACH ROW WHEN ((NOT pg_has_role(CURRENT_USER, 'service_role'::name, 'usage'::text))) EXECUTE FUNCTION private.tg_generation_requests__limit_user();


--
-- Name: generation_requests _200_limit_user_again; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _200_limit_user_again BEFORE UPDATE OF status ON public.generation_requests FOR EACH ROW WHEN (((old.status IS DISTINCT FROM new.status) AND (new.status = 'queued'::public.generation_status) AND (NOT pg_has_role(CURRENT_USER, 'service_role'::name, 'usage'::text)))) EXECUTE FUNCTION private.tg_generation_requests__limit_user();


--
-- Name: generation_leases generation_leases_user_id_generation_request_id_fkey; Type: FK CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.generation_leases
    ADD CONSTRAINT generation_leases_user_id_generation_request_id_fkey FOREIGN KEY (user_id, generation_request_id) REFERENCES public.generation_requests(user_id, id) ON DELETE CASCADE;


--
-- Name: apps apps_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: generation_requests generation_requests_user_id_app_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_requests
    ADD CONSTRAINT generation_requests_user_id_app_id_fkey FOREIGN KEY (user_id, app_id) REFERENCES public.apps(user_id, id) ON DELETE CASCADE;


--
-- Name: iteration_snapshots iteration_snapshots_user_id_generation_request_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.iteration_snapshots
    ADD CONSTRAINT iteration_snapshots_user_id_generation_request_id_fkey FOREIGN KEY (user_id, generation_request_id) REFERENCES public.generation_requests(user_id, id) ON DELETE CASCADE;


--
-- Name: user_secrets user_secrets_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_secrets
    ADD CONSTRAINT user_secrets_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: apps all_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY all_service ON public.apps TO service_role USING (true) WITH CHECK (true);


--
-- Name: deployment_config all_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY all_service ON public.deployment_config TO service_role USING (true) WITH CHECK (true);


--
-- Name: generation_requests all_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY all_service ON public.generation_requests TO service_role USING (true) WITH CHECK (true);


--
-- Name: user_secrets all_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY all_service ON public.user_secrets TO service_role USING (true) WITH CHECK (true);


--
-- Name: apps; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.apps ENABLE ROW LEVEL SECURITY;


--
-- Name: apps delete_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY delete_own ON public.apps FOR DELETE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: user_secrets delete_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY delete_own ON public.user_secrets FOR DELETE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: deployment_config; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.deployment_config ENABLE ROW LEVEL SECURITY;


--
-- Name: generation_requests; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.generation_requests ENABLE ROW LEVEL SECURITY;


--
-- Name: apps insert_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_own ON public.apps FOR INSERT TO authenticated WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: generation_requests insert_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_own ON public.generation_requests FOR INSERT TO authenticated WITH CHECK (((user_id = ( SELECT auth.uid() AS uid)) AND (status = 'queued'::public.generation_status)));


--
-- Name: iteration_snapshots insert_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_service ON public.iteration_snapshots FOR INSERT TO service_role WITH CHECK (true);


--
-- Name: iteration_snapshots; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.iteration_snapshots ENABLE ROW LEVEL SECURITY;


--
-- Name: apps select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.apps FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: generation_requests select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.generation_requests FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: iteration_snapshots select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.iteration_snapshots FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: user_secrets select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.user_secrets FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: iteration_snapshots select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.iteration_snapshots FOR SELECT TO service_role USING (true);


--
-- Name: apps update_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY update_own ON public.apps FOR UPDATE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid))) WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: generation_requests update_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY update_own ON public.generation_requests FOR UPDATE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid))) WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: user_secrets; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.user_secrets ENABLE ROW LEVEL SECURITY;


--
-- Name: SCHEMA private; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA private TO leo_worker;


--
-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: -
--

GRANT USAGE ON SCHEMA public TO anon;
GRANT USAGE ON SCHEMA public TO authenticated;
GRANT USAGE ON SCHEMA public TO service_role;


--
-- Name: FUNCTION assert_no_rows(p_table regclass, p_condition text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.assert_no_rows(p_table regclass, p_condition text) FROM PUBLIC;


--
-- Name: FUNCTION tg__refuse_change(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg__refuse_change() FROM PUBLIC;


--
-- Name: FUNCTION tg__touch_updated_at(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg__touch_updated_at() FROM PUBLIC;


--
-- Name: FUNCTION tg_deployment_config__refuse_plaintext(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_deployment_config__refuse_plaintext() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__change_status(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__change_status() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__enqueue(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__enqueue() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__limit_user(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__limit_user() FROM PUBLIC;


--
-- Name: TABLE generation_leases; Type: ACL; Schema: private; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE private.generation_leases TO leo_worker;


--
-- Name: TABLE apps; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,DELETE ON TABLE public.apps TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.apps TO service_role;


--
-- Name: COLUMN apps.user_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(user_id) ON TABLE public.apps TO authenticated;


--
-- Name: COLUMN apps.app_name; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(app_name),UPDATE(app_name) ON TABLE public.apps TO authenticated;


--
-- Name: TABLE deployment_config; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.deployment_config TO service_role;


--
-- Name: TABLE generation_requests; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.generation_requests TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.generation_requests TO service_role;


--
-- Name: COLUMN generation_requests.app_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(app_id) ON TABLE public.generation_requests TO authenticated;


--
-- Name: COLUMN generation_requests.user_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(user_id) ON TABLE public.generation_requests TO authenticated;


--
-- Name: COLUMN generation_requests.prompt; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(prompt) ON TABLE public.generation_requests TO authenticated;


--
-- Name: COLUMN generation_requests.initial_prompt; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(initial_prompt) ON TABLE public.generation_requests TO authenticated;


--
-- Name: COLUMN generation_requests.status; Type: ACL; Schema: public; Owner: -
--

GRANT UPDATE(status) ON TABLE public.generation_requests TO authenticated;


--
-- Name: COLUMN generation_requests.generation_type; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(generation_type) ON TABLE public.generation_requests TO authenticated;


--
-- Name: COLUMN generation_requests.mode; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(mode) ON TABLE public.generation_requests TO authenticated;


--
-- Name: COLUMN generation_requests.max_iterations; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(max_iterations) ON TABLE public.generation_requests TO authenticated;


--
-- Name: COLUMN generation_requests.idempotency_key; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(idempotency_key) ON TABLE public.generation_requests TO authenticated;


--
-- Name: SEQUENCE generation_requests_id_seq; Type: ACL; Schema: public; Owner: -
--

GRANT USAGE ON SEQUENCE public.generation_requests_id_seq TO authenticated;
GRANT USAGE ON SEQUENCE public.generation_requests_id_seq TO service_role;


--
-- Name: TABLE iteration_snapshots; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.iteration_snapshots TO authenticated;
GRANT SELECT,INSERT ON TABLE public.iteration_snapshots TO service_role;


--
-- Name: SEQUENCE iteration_snapshots_id_seq; Type: ACL; Schema: public; Owner: -
--

GRANT USAGE ON SEQUENCE public.iteration_snapshots_id_seq TO service_role;


--
-- Name: TABLE user_secrets; Type: ACL; Schema: public; Owner: -
--

GRANT DELETE ON TABLE public.user_secrets TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.user_secrets TO service_role;


--
-- Name: COLUMN user_secrets.id; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(id) ON TABLE public.user_secrets TO authenticated;


--
-- Name: COLUMN user_secrets.user_id; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(user_id) ON TABLE public.user_secrets TO authenticated;


--
-- Name: COLUMN user_secrets.provider; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(provider) ON TABLE public.user_secrets TO authenticated;


--
-- Name: COLUMN user_secrets.expires_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(expires_at) ON TABLE public.user_secrets TO authenticated;


--
-- Name: COLUMN user_secrets.created_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(created_at) ON TABLE public.user_secrets TO authenticated;


--
-- Name: COLUMN user_secrets.updated_at; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT(updated_at) ON TABLE public.user_secrets TO authenticated;


--
-- Name: DEFAULT PRIVILEGES FOR FUNCTIONS; Type: DEFAULT ACL; Schema: -; Owner: -
--

ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;
