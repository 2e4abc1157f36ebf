-- Generated from db/migrations by `make schema`. Do not edit.
--
-- The whole schema with its grants, for an empty database that has Supabase's roles and the schema `auth`
-- (db/supabase creates both in a plain PostgreSQL). pg_dump does not dump roles, so the roles of services are created
-- here:

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

-- The applied migrations, as dbmate records them. public.schema_version() and later runs of dbmate read this table.

create schema dbmate;
create table dbmate.schema_migrations (version character varying not null primary key);
insert into dbmate.schema_migrations (version) values
  ('20261122100000'),
  ('20261122100100'),
  ('20261122100200'),
  ('20261122100300'),
  ('20261122101000'),
  ('20261122101200'),
  ('20261122101300'),
  ('20261122101400'),
  ('20261122101900'),
  ('20261122102000'),
  ('20261122102100'),
  ('20261122102200'),
  ('20261122102300'),
  ('20261122102400'),
  ('20261122103000'),
  ('20261122103200'),
  ('20261122103300'),
  ('20261122104000'),
  ('20261122104010'),
  ('20261122104100'),
  ('20261122104200'),
  ('20261122104250'),
  ('20261122104260'),
  ('20261122104300'),
  ('20261122104400'),
  ('20261122104500'),
  ('20261122104900'),
  ('20261122105010'),
  ('20261122105020'),
  ('20261122105030'),
  ('20261122105040'),
  ('20261122105050'),
  ('20261122110000'),
  ('20261122110100'),
  ('20261122110200'),
  ('20261122110500'),
  ('20261122110510'),
  ('20261122110520'),
  ('20261122111000'),
  ('20261122111100'),
  ('20261122111200'),
  ('20261122111300'),
  ('20261122111400'),
  ('20261122112000'),
  ('20261122112100'),
  ('20261122113000'),
  ('20261122113100'),
  ('20261122120100'),
  ('20261122120200'),
  ('20261122120250'),
  ('20261122120300'),
  ('20261122120400'),
  ('20261122120500'),
  ('20261122120600'),
  ('20261122120700'),
  ('20261122121400'),
  ('20261122121600'),
  ('20261122121700'),
  ('20261122122100'),
  ('20261122122300'),
  ('20261122122500'),
  ('20261122123100'),
  ('20261122123200'),
  ('20261122123300'),
  ('20261122123400'),
  ('20261122123500'),
  ('20261122123600'),
  ('20261122124200'),
  ('20261122124300'),
  ('20261122124400'),
  ('20261122124500'),
  ('20261122124600'),
  ('20261122125000');

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

COMMENT ON SCHEMA private IS 'Trigger functions and tables that no API role may access. Not exposed by the Data API.';


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

COMMENT ON TYPE public.generation_mode IS 'How much a generation does before it asks its user.';


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

COMMENT ON TYPE public.generation_type IS 'Whether a generation starts a new session or resumes an earlier one.';


--
-- Name: claimed_generation; Type: TYPE; Schema: private; Owner: -
--

CREATE TYPE private.claimed_generation AS (
	id integer,
	attempt integer,
	lease_expires_at timestamp with time zone,
	user_id uuid,
	app_id uuid,
	app_name text,
	prompt text,
	initial_prompt text,
	generation_type public.generation_type,
	mode public.generation_mode,
	max_iterations integer,
	current_iteration integer,
	last_session_id text,
	github_url text,
	failure_count smallint
);


--
-- Name: TYPE claimed_generation; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TYPE private.claimed_generation IS 'What a worker needs of a generation that it has claimed.';


--
-- Name: cleanup_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.cleanup_kind AS ENUM (
    'github_repository',
    'fly_app',
    'supabase_place',
    'oauth_token'
);


--
-- Name: TYPE cleanup_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.cleanup_kind IS 'What has to be deleted; a token has to be revoked.';


--
-- Name: config_action; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.config_action AS ENUM (
    'found',
    'insert',
    'update',
    'delete',
    'redact'
);


--
-- Name: TYPE config_action; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.config_action IS 'What happened to a setting. found: it existed when the history began. redact: its plain values were removed from the history.';


--
-- Name: cost_kind; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.cost_kind AS ENUM (
    'tokens',
    'compute',
    'deployment',
    'storage',
    'other'
);


--
-- Name: TYPE cost_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.cost_kind IS 'What money was spent on.';


--
-- Name: event_actor; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.event_actor AS ENUM (
    'user',
    'service',
    'system'
);


--
-- Name: TYPE event_actor; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.event_actor IS 'Who changed a status: user: a signed-in user; service: a service; system: the owner of the database or an administrator.';


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

COMMENT ON TYPE public.generation_status IS 'The status of a generation; the status machine decides which changes are allowed.';


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

COMMENT ON TYPE public.snapshot_type IS 'What caused a snapshot.';


--
-- Name: supabase_place_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.supabase_place_status AS ENUM (
    'allocated',
    'releasing'
);


--
-- Name: TYPE supabase_place_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.supabase_place_status IS 'allocated: in use by an app; releasing: the app is deleted, and its data is not wiped yet.';


--
-- Name: supabase_project_status; Type: TYPE; Schema: public; Owner: -
--

CREATE TYPE public.supabase_project_status AS ENUM (
    'active',
    'draining',
    'retired'
);


--
-- Name: TYPE supabase_project_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TYPE public.supabase_project_status IS 'active: gets new apps; draining: keeps its apps and gets no new ones; retired: has no apps.';


--
-- Name: acting_role(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.acting_role() RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return case current_setting('role') when 'none' then session_user::text else current_setting('role') end;
end
$$;


--
-- Name: FUNCTION acting_role(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.acting_role() IS 'The role that runs the statement, also within SECURITY DEFINER functions.';


--
-- Name: acting_user_id(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.acting_user_id() RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_setting constant text := current_setting('leo.acting_user', true);
begin
  if private.acting_role() = 'authenticated' then
    return auth.uid();
  end if;
  if v_setting ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return v_setting::uuid;
  end if;
  return null;
end
$_$;


--
-- Name: FUNCTION acting_user_id(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.acting_user_id() IS 'The user who acts: the signed-in user, otherwise the one that a service names in leo.acting_user. Null if the setting is missing or invalid.';


--
-- Name: allocate_supabase_project(uuid, text, text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.allocate_supabase_project(p_app_id uuid, p_pool text DEFAULT NULL::text, p_region text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_ref text;
begin
  -- Locked against a deletion of the app and a second allocation.
  select a.supabase_project_ref into v_ref
  from public.apps as a
  where a.id = p_app_id
  for no key update;

  if not found then
    raise exception using
      errcode = 'LEO14',
      message = format('app %s does not exist', p_app_id),
      schema = 'public', table = 'apps';
  end if;
  if v_ref is not null then
    return v_ref;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('supabase_projects.allocate', 0));

  -- A separate statement, so that it sees what the previous holder of the lock committed. It waits for a concurrent
  -- update of the project, and skips it if it no longer qualifies.
  update public.supabase_projects as p
  set used = p.used + 1
  where p.ref = (
    select c.ref
    from public.supabase_projects as c
    where c.status = 'active' and c.used < c.capacity
      and (p_pool is null or c.pool = p_pool)
      and (p_region is null or c.region = p_region)
    order by c.used, c.ref
    limit 1
    for no key update
  )
  returning p.ref into v_ref;

  if not found then
    return null;
  end if;

  insert into public.supabase_project_places (app_id, supabase_project_ref) values (p_app_id, v_ref);
  update public.apps as a set supabase_project_ref = v_ref where a.id = p_app_id;
  return v_ref;
end
$$;


--
-- Name: FUNCTION allocate_supabase_project(p_app_id uuid, p_pool text, p_region text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.allocate_supabase_project(p_app_id uuid, p_pool text, p_region text) IS 'Allocates a place for the app in the least used active project, of this pool and region if given, and returns the ref; returns the present ref of an app that has one. Null: no such project has a free place. Raises LEO14 if the app does not exist, supabase_project_places_pkey if the place of a deleted app with this id is not wiped.';


--
-- Name: app_id_of_request(integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.app_id_of_request(p_request_id integer) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  -- A UUID of version 8: its other bits are free to choose.
  select overlay(overlay(md5('leo-saas-schema generation_requests ' || p_request_id) placing '8' from 13) placing '8' from 17)::uuid
$$;


--
-- Name: FUNCTION app_id_of_request(p_request_id integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.app_id_of_request(p_request_id integer) IS 'The id of the app of a request that has no app_id.';


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

COMMENT ON TABLE public.deployment_config IS 'Settings of the platform, one row per key. Services only.';


--
-- Name: COLUMN deployment_config.key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.key IS 'Name of the setting: letters, digits, dot, dash and underscore.';


--
-- Name: COLUMN deployment_config.value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.value IS 'Its value: a sealed secret if encrypted is true, plain text if it is false.';


--
-- Name: COLUMN deployment_config.encrypted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.encrypted IS 'Whether value is encrypted by KMS (in development, by the local key).';


--
-- Name: COLUMN deployment_config.description; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.description IS 'What the setting is for.';


--
-- Name: COLUMN deployment_config.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config.updated_at IS 'When the row last changed; set by trigger.';


--
-- Name: append_config_history(text, public.config_action, public.deployment_config, public.deployment_config); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.append_config_history(p_key text, p_action public.config_action, p_old public.deployment_config DEFAULT NULL::public.deployment_config, p_new public.deployment_config DEFAULT NULL::public.deployment_config) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_is_sealing constant boolean := coalesce(p_new.encrypted and not p_old.encrypted, false);
  v_entry public.deployment_config_history;
begin
  select h.hash into strict v_entry.previous_hash from private.audit_heads as h where h.table_name = 'deployment_config_history' for update;

  v_entry.id := nextval('public.deployment_config_history_id_seq');
  v_entry.key := p_key;
  v_entry.action := p_action;
  v_entry.actor_role := private.acting_role();
  v_entry.acting_user_id := private.acting_user_id();
  v_entry.changed_at := now();

  if p_old.key is not null then
    select e.new_salt into v_entry.old_salt
    from public.deployment_config_history as e
    where e.key = p_key and e.action <> 'redact'
    order by e.id desc
    limit 1;

    v_entry.old_salt := coalesce(v_entry.old_salt, uuid_send(gen_random_uuid()));
    v_entry.old_encrypted := p_old.encrypted;
    v_entry.old_digest := sha256(v_entry.old_salt || convert_to(private.config_substance(p_old), 'UTF8'));
    if p_old.encrypted then
      v_entry.old_key_id := split_part(p_old.value, '.', 3);
    elsif v_is_sealing then
      -- Not stored at all: the redaction would follow in the same statement.
      v_entry.old_salt := null;
    else
      v_entry.old_value := p_old.value;
    end if;
  end if;

  if p_new.key is not null then
    v_entry.new_salt := uuid_send(gen_random_uuid());
    v_entry.new_encrypted := p_new.encrypted;
    v_entry.new_digest := sha256(v_entry.new_salt || convert_to(private.config_substance(p_new), 'UTF8'));
    if p_new.encrypted then
      v_entry.new_key_id := split_part(p_new.value, '.', 3);
    else
      v_entry.new_value := p_new.value;
    end if;
  end if;

  v_entry.hash := private.hash_config_history(v_entry);
  insert into public.deployment_config_history select v_entry.*;
  update private.audit_heads set hash = v_entry.hash where table_name = 'deployment_config_history';
end
$$;


--
-- Name: FUNCTION append_config_history(p_key text, p_action public.config_action, p_old public.deployment_config, p_new public.deployment_config); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.append_config_history(p_key text, p_action public.config_action, p_old public.deployment_config, p_new public.deployment_config) IS 'Appends an entry to the chain, one writer at a time.';


--
-- Name: apps_in_requests(uuid[]); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.apps_in_requests(p_user_ids uuid[]) RETURNS TABLE(user_id uuid, app_id uuid, wanted text, since timestamp with time zone, first_request_id integer)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select
    r.user_id,
    coalesce(r.app_id, private.app_id_of_request(r.id)),
    coalesce(
      (array_agg(r.visible order by r.created_at desc nulls last, r.id desc) filter (where r.visible is not null))[1],
      'Untitled app'
    ),
    min(r.created_at),
    min(r.id)
  from (
    select
      r.id, r.user_id, r.app_id, r.created_at,
      -- Almost every name has a letter or digit; the function is called for the others only.
      case
        when r.app_name collate "C" ~ '[0-9A-Za-z]' then left(r.app_name, 120)
        else private.visible_name(r.app_name)
      end as visible
    from public.generation_requests as r
    where r.user_id = any (p_user_ids)
  ) as r
  join auth.users as u on u.id = r.user_id
  left join private.upgrade_owners as o on o.app_id = r.app_id
  where o.app_id is null or o.user_id = r.user_id
  group by r.user_id, coalesce(r.app_id, private.app_id_of_request(r.id))
$$;


--
-- Name: FUNCTION apps_in_requests(p_user_ids uuid[]); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.apps_in_requests(p_user_ids uuid[]) IS 'The apps in the requests of these users, with the wanted name and the age of each.';


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
      message = format('%s has rows (where %s), which the rollback would delete', p_table, p_condition),
      hint = 'Move them away first, or restore a backup instead of rolling back.';
  end if;
end
$$;


--
-- Name: FUNCTION assert_no_rows(p_table regclass, p_condition text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.assert_no_rows(p_table regclass, p_condition text) IS 'Locks the table, raises LEO08 if it has a row that meets the condition. For the down sections of migrations.';


--
-- Name: backfill_contested(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.backfill_contested() RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    AS $$
declare
  v_found integer;
begin
  perform private.take_progress('contested');
  insert into private.upgrade_owners (app_id)
  select r.app_id
  from public.generation_requests as r
  where r.app_id is not null
    and exists (select from auth.users as u where u.id = r.user_id)
    and not exists (select from public.apps as a where a.id = r.app_id)
  group by r.app_id
  having min(r.user_id::text) <> max(r.user_id::text)
  on conflict do nothing;
  get diagnostics v_found = row_count;
  update private.upgrade_progress set is_finished = true where phase = 'contested';
  return v_found;
end
$$;


--
-- Name: FUNCTION backfill_contested(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.backfill_contested() IS 'Records the app ids that several users claim; the operator chooses the owners in upgrade_owners. Returns how many are new.';


--
-- Name: backfill_requests(integer, boolean, interval); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.backfill_requests(p_limit integer, p_is_last boolean DEFAULT false, p_stale_after interval DEFAULT NULL::interval) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET join_collapse_limit TO '1'
    AS $$
declare
  v_progress private.upgrade_progress := private.take_progress('requests');
  v_after integer := coalesce(v_progress.position::integer, -2147483648);
  v_last integer;
  v_count integer;
  v_passed_over integer;
begin
  perform set_config('leo.is_upgrade', 'on', true);
  select max(page.id), count(*) into v_last, v_count
  from (select r.id from public.generation_requests as r where r.id > v_after order by r.id limit p_limit) as page;
  if v_count = 0 then
    update private.upgrade_progress set position = null, is_finished = true where phase = 'requests';
    return 0;
  end if;

  -- Reads each row and its parents once. Without a lock: most rows are not changed.
  with judged as materialized (
    select r.id,
      -- Rows in progress stay in the table, where their writer expects them, except in the last run.
      p_is_last or r.status is null or r.status not in ('queued', 'generating', 'paused')
        or r.updated_at < now() - interval '1 day' as is_at_rest,
      case
        when r.user_id is null then 'user_id is null'
        when u.id is null then 'user_id is not in auth.users'
        when p_is_last and o.app_id is not null and o.user_id is null
          then 'several users claim app_id, and no owner is chosen'
        when o.user_id <> r.user_id then 'app_id belongs to another user, as the operator chose'
        when a.user_id <> r.user_id then 'app_id belongs to another user'
      end as reason,
      -- A row that can still be quarantined is not changed.
      a.user_id = r.user_id and not coalesce(
        r.app_id is not null and r.prompt is not null
        and (r.app_name collate "C" ~ '[0-9A-Za-z]' or private.visible_name(r.app_name) is not null)
        and r.status is not null and r.generation_type is not null and r.mode is not null
        and r.max_iterations > 0 and r.current_iteration between 0 and r.max_iterations
        and r.created_at is not null and r.updated_at is not null
        and (r.completed_at is not null) = (r.status in ('completed', 'failed', 'cancelled'))
        and (r.completed_at is null or r.completed_at >= r.created_at)
        and (r.github_url is null or private.is_https_url(r.github_url))
        and (r.deployment_url is null or private.is_https_url(r.deployment_url))
        and (p_stale_after is null or r.status <> 'generating' or r.updated_at >= now() - p_stale_after),
        false
      ) as is_dirty
    from public.generation_requests as r
    left join auth.users as u on u.id = r.user_id
    left join private.upgrade_owners as o on o.app_id = r.app_id
    left join public.apps as a on a.id = coalesce(r.app_id, private.app_id_of_request(r.id))
    where r.id > v_after and r.id <= v_last
  ),
  lost as (
    select r.id, j.reason
    from judged as j
    join public.generation_requests as r on r.id = j.id
    where j.reason is not null and j.is_at_rest
    for update of r skip locked
  ),
  gone as (
    delete from public.generation_requests as r using lost where r.id = lost.id returning r.*, lost.reason as lost_because
  ),
  kept as (
    insert into private.quarantine (table_name, row_id, user_id, reason, content)
    select
      'generation_requests', gone.id, (select u.id from auth.users as u where u.id = gone.user_id), gone.lost_because,
      to_jsonb(gone) - 'lost_because'
    from gone
  ),
  dirty as (
    select r.*
    from judged as j
    join public.generation_requests as r on r.id = j.id
    where j.reason is null and j.is_dirty
    for update of r skip locked
  ),
  repaired as (
    update public.generation_requests as r
    set app_id = coalesce(d.app_id, private.app_id_of_request(d.id)),
        app_name = case when private.visible_name(d.app_name) is null then 'Untitled app' else d.app_name end,
        prompt = coalesce(d.prompt, ''),
        status = now_is.status,
        generation_type = coalesce(d.generation_type, 'new'),
        mode = coalesce(d.mode, 'autonomous'),
        current_iteration = took.iterations,
        -- At least the iterations that it took; the column's default if the limit is not valid.
        max_iterations = greatest(case when d.max_iterations > 0 then d.max_iterations else 10 end, took.iterations),
        created_at = times.created_at,
        updated_at = times.updated_at,
        completed_at = case
          when now_is.status in ('completed', 'failed', 'cancelled')
            then greatest(coalesce(d.completed_at, times.updated_at), times.created_at)
        end,
        error_message = case when d.status = 'generating' and now_is.status = 'failed'
          then coalesce(d.error_message, 'No worker has updated it for ' || p_stale_after || '.')
          else d.error_message end,
        github_url = private.https_url(d.github_url),
        deployment_url = private.https_url(d.deployment_url)
    from dirty as d
    cross join lateral (
      select
        coalesce(d.created_at, d.updated_at, d.completed_at, now()) as created_at,
        coalesce(d.updated_at, d.completed_at, d.created_at, now()) as updated_at,
        d.status = 'generating' and coalesce(d.updated_at, d.created_at, '-infinity') < now() - p_stale_after as is_stale
    ) as times
    cross join lateral (
      select case
        when times.is_stale and exists (
          select from public.iteration_snapshots as s where s.generation_request_id = d.id and s.files_snapshot is not null
        ) then 'paused'
        when times.is_stale then 'failed'
        when d.status is not null then d.status
        when d.completed_at is not null and d.error_message is null then 'completed'
        else 'failed'
      end::public.generation_status as status
    ) as now_is
    cross join lateral (select greatest(d.current_iteration, 0) as iterations) as took
    where r.id = d.id
    returning r.id, r.user_id, to_jsonb(d) as before, to_jsonb(r) as after
  ),
  logged as (
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    select
      'generation_requests', m.id, (select u.id from auth.users as u where u.id = m.user_id), b.key, b.value, m.after ->> b.key,
      case b.key
        when 'app_id' then 'it was null: an id derived from the id of the request'
        when 'app_name' then 'no visible character'
        when 'status' then case when b.value is null then 'it was null' else 'no worker has updated it for too long' end
        when 'max_iterations' then 'missing, or less than it took'
        when 'error_message' then 'no worker has updated it for too long'
        when 'completed_at' then 'set exactly when it is over, and not before it began'
        when 'github_url' then 'not an https URL'
        when 'deployment_url' then 'not an https URL'
        else 'null or out of range'
      end
    from repaired as m
    cross join lateral jsonb_each_text(m.before) as b
    where m.after ->> b.key is distinct from b.value
  )
  select
    (select count(*) from judged as j where (j.reason is not null and j.is_at_rest) or (j.reason is null and j.is_dirty))
    - (select count(*) from lost) - (select count(*) from dirty)
  into v_passed_over;

  update private.upgrade_progress
  set position = v_last::text, done = done + v_count,
      passed_over = case when v_progress.position is null then 0 else passed_over end + v_passed_over
  where phase = 'requests';
  return v_count;
end
$$;


--
-- Name: FUNCTION backfill_requests(p_limit integer, p_is_last boolean, p_stale_after interval); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.backfill_requests(p_limit integer, p_is_last boolean, p_stale_after interval) IS 'Repairs the next requests, or moves them to quarantine. Pauses or fails running generations without an update for p_stale_after. Returns the number of requests processed, 0 at the end.';


--
-- Name: backfill_snapshots(integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.backfill_snapshots(p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET join_collapse_limit TO '1'
    AS $$
declare
  v_progress private.upgrade_progress := private.take_progress('snapshots');
  v_after integer := coalesce(v_progress.position::integer, -2147483648);
  v_last integer;
  v_count integer;
  v_passed_over integer;
begin
  perform set_config('leo.is_upgrade', 'on', true);
  select max(page.id), count(*) into v_last, v_count
  from (select s.id from public.iteration_snapshots as s where s.id > v_after order by s.id limit p_limit) as page;
  if v_count = 0 then
    update private.upgrade_progress set position = null, is_finished = true where phase = 'snapshots';
    return 0;
  end if;

  -- Reads each row and its parents once, which costs as much as the update. Without a lock: after the first sweep most
  -- rows are not changed.
  with judged as materialized (
    select s.id, r.user_id, r.created_at, a.id is not null and s.user_id is distinct from r.user_id as is_ownerless,
      a.id is not null and (s.snapshot_type is null or s."timestamp" is null or jsonb_typeof(s.metadata) <> 'object') as is_odd,
      case
        when s.generation_request_id is null then 'generation_request_id is null'
        when r.id is null then 'its generation does not exist'
        -- Its generation can still be quarantined, with its snapshots.
        when a.id is null then null
        when s.iteration_number is null or s.iteration_number < 0 then 'iteration_number is missing or negative'
        when exists (
          select from public.iteration_snapshots as earlier
          where earlier.generation_request_id = s.generation_request_id and earlier.iteration_number = s.iteration_number
            and coalesce(earlier.snapshot_type, 'automatic') = coalesce(s.snapshot_type, 'automatic') and earlier.id < s.id
            and earlier.files_snapshot is not distinct from s.files_snapshot
            and earlier.prompt_used is not distinct from s.prompt_used
            and private.metadata_object(earlier.metadata) is not distinct from private.metadata_object(s.metadata)
        ) then 'the same as an earlier snapshot'
      end as reason
    from public.iteration_snapshots as s
    left join public.generation_requests as r on r.id = s.generation_request_id
    left join public.apps as a on a.id = r.app_id and a.user_id = r.user_id
    where s.id > v_after and s.id <= v_last
  ),
  -- The current versions, in case another session has updated them since.
  held as materialized (
    select s.id, s.snapshot_type, s."timestamp", s.metadata, j.user_id, j.created_at, j.is_odd, j.reason
    from judged as j
    join public.iteration_snapshots as s on s.id = j.id
    where j.reason is not null or j.is_ownerless or j.is_odd
    for no key update of s skip locked
  ),
  gone as (
    delete from public.iteration_snapshots as s using held as h
    where s.id = h.id and h.reason is not null
    returning s.*, h.user_id as owner_id, h.reason as lost_because
  ),
  lost as (
    insert into private.quarantine (table_name, row_id, user_id, reason, content)
    select
      'iteration_snapshots', gone.id, coalesce(u.id, q.user_id),
      case when q.id is null then gone.lost_because else 'its generation is in quarantine' end,
      to_jsonb(gone) - 'lost_because' - 'owner_id'
    from gone
    left join auth.users as u on u.id = gone.owner_id
    left join private.quarantine as q on q.table_name = 'generation_requests' and q.row_id = gone.generation_request_id
  ),
  owned as (
    update public.iteration_snapshots as s
    set user_id = h.user_id
    from held as h
    where s.id = h.id and h.reason is null and h.is_odd is not true
  ),
  -- Including the owner: a second update would write the row and its index entries again.
  repaired as (
    update public.iteration_snapshots as s
    set user_id = h.user_id,
        snapshot_type = coalesce(h.snapshot_type, 'automatic'),
        "timestamp" = coalesce(h."timestamp", h.created_at, now()),
        metadata = private.metadata_object(h.metadata)
    from held as h
    where s.id = h.id and h.reason is null and h.is_odd
    returning s.id, s.user_id, h.snapshot_type as old_type, s.snapshot_type, h."timestamp" as old_timestamp,
      s."timestamp", h.metadata as old_metadata, s.metadata
  ),
  logged as (
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    select 'iteration_snapshots', m.id, (select u.id from auth.users as u where u.id = m.user_id), changed.*
    from repaired as m
    cross join lateral (
      values
        ('snapshot_type', m.old_type::text, m.snapshot_type::text, 'it was null'),
        ('timestamp', m.old_timestamp::text, m."timestamp"::text, 'it was null: the time of its generation'),
        ('metadata', m.old_metadata::text, m.metadata::text, 'not an object: made its member `value`')
    ) as changed (column_name, original, replacement, reason)
    where changed.original is distinct from changed.replacement
  )
  select count(*) - (select count(*) from held) into v_passed_over
  from judged as j
  where j.reason is not null or j.is_ownerless or j.is_odd;

  update private.upgrade_progress
  set position = v_last::text, done = done + v_count,
      passed_over = case when v_progress.position is null then 0 else passed_over end + v_passed_over
  where phase = 'snapshots';
  return v_count;
end
$$;


--
-- Name: FUNCTION backfill_snapshots(p_limit integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.backfill_snapshots(p_limit integer) IS 'Sets the owner of the next snapshots, or moves them to quarantine. Returns the number of snapshots processed, 0 at the end.';


--
-- Name: backfill_users(integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.backfill_users(p_limit integer) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_custom_plan'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
  v_progress private.upgrade_progress := private.take_progress('users');
  v_users uuid[];
  v_locked uuid[];
begin
  select array_agg(u.user_id order by u.user_id) into v_users
  from (
    select distinct r.user_id
    from public.generation_requests as r
    where exists (select from auth.users as known where known.id = r.user_id)
      and (v_progress.position is null or r.user_id > v_progress.position::uuid)
      and not exists (select from private.upgrade_users as named where named.user_id = r.user_id)
    order by r.user_id
    limit p_limit
  ) as u;

  if v_users is null then
    -- The end of a sweep. Users that were skipped, because one of their writers held the lock, get another one.
    update private.upgrade_progress
    set position = null,
        is_finished = not exists (
          select from public.generation_requests as r
          where exists (select from auth.users as known where known.id = r.user_id)
            and not exists (select from private.upgrade_users as named where named.user_id = r.user_id)
        )
    where phase = 'users';
    return 0;
  end if;

  select array_agg(u) into v_locked
  from unnest(v_users) as u
  where pg_try_advisory_xact_lock(private.user_lock_key(u));

  -- Separate statements, so that they see what the previous holders of the locks committed.
  perform private.name_apps(v_locked);
  insert into private.upgrade_users (user_id)
  select u.id from auth.users as u where u.id = any (v_locked)
  on conflict do nothing;
  update private.upgrade_progress
  set position = v_users[cardinality(v_users)]::text, done = done + cardinality(v_users)
  where phase = 'users';
  return cardinality(v_users);
end
$$;


--
-- Name: FUNCTION backfill_users(p_limit integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.backfill_users(p_limit integer) IS 'Names the apps of the next users. Returns the number of users processed, 0 at the end of a sweep.';


--
-- Name: cleanup_outbox; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.cleanup_outbox (
    id bigint NOT NULL,
    kind public.cleanup_kind NOT NULL,
    target text NOT NULL,
    sealed_token public.sealed_secret,
    context jsonb DEFAULT '{}'::jsonb NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    claimed_by text,
    claimed_until timestamp with time zone,
    last_error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    available_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT cleanup_outbox_attempt_not_negative_check CHECK ((attempt >= 0)),
    CONSTRAINT cleanup_outbox_claim_has_an_end_check CHECK (((claimed_by IS NULL) = (claimed_until IS NULL))),
    CONSTRAINT cleanup_outbox_claimed_by_printable_check CHECK ((((claimed_by COLLATE "C") ~ '^[!-~]+$'::text) AND (char_length(claimed_by) <= 200))),
    CONSTRAINT cleanup_outbox_context_is_object_check CHECK ((jsonb_typeof(context) = 'object'::text)),
    CONSTRAINT cleanup_outbox_finished_keeps_no_details_check CHECK (((finished_at IS NULL) OR ((context = '{}'::jsonb) AND (last_error IS NULL) AND (claimed_by IS NULL)))),
    CONSTRAINT cleanup_outbox_last_error_at_most_500_characters_check CHECK ((char_length(last_error) <= 500)),
    CONSTRAINT cleanup_outbox_sealed_token_until_revoked_check CHECK (((sealed_token IS NOT NULL) = ((kind = 'oauth_token'::public.cleanup_kind) AND (finished_at IS NULL)))),
    CONSTRAINT cleanup_outbox_target_1_to_2000_characters_check CHECK (((char_length(target) >= 1) AND (char_length(target) <= 2000)))
);

ALTER TABLE ONLY public.cleanup_outbox FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE cleanup_outbox; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.cleanup_outbox IS 'What deleted apps and users leave in other systems, to be cleaned up by a service. Services only.';


--
-- Name: COLUMN cleanup_outbox.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.id IS 'Identifies the clean-up.';


--
-- Name: COLUMN cleanup_outbox.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.kind IS 'What has to be cleaned up.';


--
-- Name: COLUMN cleanup_outbox.target; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.target IS 'The URL of the repository or Fly app, the ref of the project, or the provider of the token.';


--
-- Name: COLUMN cleanup_outbox.sealed_token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.sealed_token IS 'The token to revoke, sealed as in user_secrets; null for other kinds, and after it is revoked.';


--
-- Name: COLUMN cleanup_outbox.context; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.context IS 'What the clean-up needs: app_id and user_id for repositories and Fly apps, app_id for places, secret_id, user_id and provider (the encryption context) for tokens. Empty after it is finished.';


--
-- Name: COLUMN cleanup_outbox.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.attempt IS 'How often it was claimed; the fence: only the latest claim can finish or fail it.';


--
-- Name: COLUMN cleanup_outbox.claimed_by; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.claimed_by IS 'The name of the worker that claimed it; null: not claimed.';


--
-- Name: COLUMN cleanup_outbox.claimed_until; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.claimed_until IS 'When another worker may claim it.';


--
-- Name: COLUMN cleanup_outbox.last_error; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.last_error IS 'Why the latest attempt failed, in short and without secrets; null after it is finished.';


--
-- Name: COLUMN cleanup_outbox.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.created_at IS 'When the app or the user was deleted.';


--
-- Name: COLUMN cleanup_outbox.available_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.available_at IS 'Not claimed before this time; later after each failure.';


--
-- Name: COLUMN cleanup_outbox.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.cleanup_outbox.finished_at IS 'When it was finished; null: open.';


--
-- Name: claim_cleanups(text, integer, interval); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.claim_cleanups(p_worker text, p_limit integer DEFAULT 1, p_lease interval DEFAULT '00:10:00'::interval) RETURNS SETOF public.cleanup_outbox
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if p_limit between 1 and 100 and p_lease between '1 second' and '1 day' then
    return query
      -- Materialized: a plan could otherwise run it more than once and claim more than it returns.
      with due as materialized (
        select o.id
        from public.cleanup_outbox as o
        where o.finished_at is null and o.available_at <= now() and (o.claimed_until is null or o.claimed_until <= now())
          and not exists (
            select
            from public.generation_requests as r
            where r.user_id = (o.context ->> 'user_id')::uuid
              and o.target = case o.kind when 'github_repository' then r.github_url when 'fly_app' then r.deployment_url end
          )
        order by o.available_at, o.id
        limit p_limit
        for update of o skip locked
      )
      update public.cleanup_outbox as o
      set attempt = o.attempt + 1, claimed_by = p_worker, claimed_until = now() + p_lease
      from due
      where o.id = due.id
      returning o.*;
  else
    raise exception using
      errcode = 'LEO16',
      message = 'a claim has a limit of 1 to 100 rows and a lease of 1 second to 1 day';
  end if;
end
$$;


--
-- Name: FUNCTION claim_cleanups(p_worker text, p_limit integer, p_lease interval); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.claim_cleanups(p_worker text, p_limit integer, p_lease interval) IS 'Claims available clean-ups, the earliest first, for the time of the lease. Raises LEO16, and cleanup_outbox_claimed_by_printable_check for a worker without a name.';


--
-- Name: claim_generations(text, integer, interval, integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.claim_generations(p_worker text, p_limit integer, p_lease interval, p_user_limit integer DEFAULT NULL::integer) RETURNS SETOF private.claimed_generation
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
begin
  return query
    select (s.claimed).*
    from private.complete_and_claim_generations(p_worker, '{}', '{}', '{}', '{}', '{}', p_limit, p_lease, p_user_limit) as s;
end
$$;


--
-- Name: FUNCTION claim_generations(p_worker text, p_limit integer, p_lease interval, p_user_limit integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.claim_generations(p_worker text, p_limit integer, p_lease interval, p_user_limit integer) IS 'Claims available generations, highest priority and earliest position first, at most p_user_limit running ones per user, for the time of the lease. No rows: none is available, or claims are paused. Raises LEO11, LEO16, and generation_leases_worker_printable_check for a worker without a name.';


--
-- Name: complete_and_claim_generations(text, integer[], integer[], text[], text[], text[], integer, interval, integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.complete_and_claim_generations(p_worker text, p_ids integer[], p_attempts integer[], p_github_commits text[], p_github_urls text[], p_deployment_urls text[], p_limit integer, p_lease interval, p_user_limit integer DEFAULT NULL::integer) RETURNS TABLE(completed_id integer, claimed private.claimed_generation)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
declare
  v_done integer[] := '{}';
  v_claimed integer[] := '{}';
begin
  if (p_limit between 1 and 100 and p_lease between '1 second' and '1 day') is not true then
    raise exception using
      errcode = 'LEO16',
      message = 'a claim has a limit of 1 to 100 rows and a lease of 1 second to 1 day';
  end if;

  if cardinality(p_ids) > 0 then
    v_done := array(
      select r.id
      from unnest(p_ids, p_attempts) as d (id, attempt)
      join public.generation_requests as r on r.id = d.id and r.attempt = d.attempt and r.status = 'generating'
      order by r.id
      for no key update of r
    );
  end if;

  if not exists (select from private.queues as q where q.name = 'generations' and q.paused_at is not null) then
    if p_user_limit is null then
      v_claimed := private.lock_generations(p_limit);
    else
      v_claimed := private.lock_generations_within_limit(p_limit, p_user_limit, v_done);
    end if;
  end if;

  return query
    with step as (
      select d.id, null::bigint as place, d.github_commit, d.github_url, d.deployment_url
      from unnest(p_ids, p_github_commits, p_github_urls, p_deployment_urls)
        as d (id, github_commit, github_url, deployment_url)
      where d.id = any (v_done)
      union all
      select t.id, t.place, null, null, null
      from unnest(v_claimed) with ordinality as t (id, place)
    ), changed as (
      update public.generation_requests as r
      set
        status = case when s.place is null then 'completed'::public.generation_status else 'generating' end,
        github_commit = coalesce(s.github_commit, r.github_commit),
        github_url = coalesce(s.github_url, r.github_url),
        deployment_url = coalesce(s.deployment_url, r.deployment_url),
        error_message = case when s.place is not null then r.error_message end
      from step as s
      where r.id = s.id
      returning r.*, s.place
    ), ended as (
      delete from private.generation_leases as l
      using changed as c
      where c.place is null and l.user_id = c.user_id and l.generation_request_id = c.id
    ), begun as (
      -- An existing lease is of an earlier attempt, which its user paused or an operator ended.
      insert into private.generation_leases as l (user_id, generation_request_id, attempt, worker, expires_at)
      select c.user_id, c.id, c.attempt, p_worker, now() + p_lease
      from changed as c
      where c.place is not null
      on conflict (user_id, generation_request_id) do update
        set attempt = excluded.attempt, worker = excluded.worker, expires_at = excluded.expires_at
    )
    select
      case when c.place is null then c.id end,
      case when c.place is not null then row(
        c.id, c.attempt, now() + p_lease, c.user_id, c.app_id, c.app_name, c.prompt, c.initial_prompt, c.generation_type,
        c.mode, c.max_iterations, c.current_iteration, c.last_session_id, c.github_url, c.failure_count
      )::private.claimed_generation end
    from changed as c
    order by c.place nulls first;
end
$$;


--
-- Name: FUNCTION complete_and_claim_generations(p_worker text, p_ids integer[], p_attempts integer[], p_github_commits text[], p_github_urls text[], p_deployment_urls text[], p_limit integer, p_lease interval, p_user_limit integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.complete_and_claim_generations(p_worker text, p_ids integer[], p_attempts integer[], p_github_commits text[], p_github_urls text[], p_deployment_urls text[], p_limit integer, p_lease interval, p_user_limit integer) IS 'Completes the generations in the arrays as complete_generation does, and claims as claim_generations does. Returns a row for each that was completed, then a row for each that was claimed.';


--
-- Name: complete_generation(integer, integer, text, text, text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.complete_generation(p_id integer, p_attempt integer, p_github_commit text DEFAULT NULL::text, p_github_url text DEFAULT NULL::text, p_deployment_url text DEFAULT NULL::text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_user_id uuid;
begin
  update public.generation_requests as r
  set
    status = 'completed',
    github_commit = coalesce(p_github_commit, r.github_commit),
    github_url = coalesce(p_github_url, r.github_url),
    deployment_url = coalesce(p_deployment_url, r.deployment_url),
    error_message = null
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
  returning r.user_id into v_user_id;

  if not found then
    return false;
  end if;

  delete from private.generation_leases as l where l.user_id = v_user_id and l.generation_request_id = p_id;
  return true;
end
$$;


--
-- Name: FUNCTION complete_generation(p_id integer, p_attempt integer, p_github_commit text, p_github_url text, p_deployment_url text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.complete_generation(p_id integer, p_attempt integer, p_github_commit text, p_github_url text, p_deployment_url text) IS 'Completes the generation; a null argument keeps the column. False, without a change: this attempt has lost the generation.';


--
-- Name: config_substance(public.deployment_config); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.config_substance(p_config public.deployment_config) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when p_config.encrypted then split_part(p_config.value, '.', 5) else p_config.value end
$$;


--
-- Name: FUNCTION config_substance(p_config public.deployment_config); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.config_substance(p_config public.deployment_config) IS 'The part of a value that a re-wrap does not change: the whole plain value, the ciphertext of a sealed one.';


--
-- Name: fail_cleanup(bigint, integer, text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.fail_cleanup(p_id bigint, p_attempt integer, p_error text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update public.cleanup_outbox as o
  set last_error = left(p_error, 500), claimed_by = null, claimed_until = null,
      available_at = now() + least(interval '30 seconds' * 2 ^ least(o.attempt - 1, 12), interval '1 day')
  where o.id = p_id and o.attempt = p_attempt and o.claimed_by is not null;
  return found;
end
$$;


--
-- Name: FUNCTION fail_cleanup(p_id bigint, p_attempt integer, p_error text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.fail_cleanup(p_id bigint, p_attempt integer, p_error text) IS 'Records the failure of this attempt, and makes the row available again after a delay. False, without a change: this attempt is not the latest.';


--
-- Name: fail_generation(integer, integer, text, integer, interval); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.fail_generation(p_id integer, p_attempt integer, p_error text, p_max_failures integer DEFAULT 3, p_backoff interval DEFAULT '00:00:30'::interval) RETURNS public.generation_status
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_reason constant text := coalesce(current_setting('leo.reason', true), '');
  v_user_id uuid;
  v_failures integer;
  v_wait interval;
  v_status public.generation_status := 'failed';
begin
  select r.user_id, r.failure_count + 1 into v_user_id, v_failures
  from public.generation_requests as r
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
  for no key update;

  if not found then
    return null;
  end if;

  if v_failures < p_max_failures then
    v_status := 'queued';
    v_wait := least(p_backoff * 2 ^ least(v_failures - 1, 20), interval '1 hour');
  end if;

  if v_reason = '' then
    perform set_config('leo.reason', left(p_error, 2000), true);
  end if;
  update public.generation_requests as r
  set
    status = v_status,
    failure_count = v_failures,
    error_message = p_error,
    available_at = now() + v_wait,
    queue_at = greatest(r.queue_at, now() + v_wait)
  where r.id = p_id;
  perform set_config('leo.reason', v_reason, true);

  delete from private.generation_leases as l where l.user_id = v_user_id and l.generation_request_id = p_id;
  return v_status;
end
$$;


--
-- Name: FUNCTION fail_generation(p_id integer, p_attempt integer, p_error text, p_max_failures integer, p_backoff interval); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.fail_generation(p_id integer, p_attempt integer, p_error text, p_max_failures integer, p_backoff interval) IS 'Records the failure of this attempt. Returns queued if it will be tried again, failed after p_max_failures failures, null, without a change, if this attempt has lost the generation.';


--
-- Name: finish_cleanup(bigint, integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.finish_cleanup(p_id bigint, p_attempt integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_cleanup public.cleanup_outbox;
begin
  select * into v_cleanup
  from public.cleanup_outbox as o
  where o.id = p_id and o.attempt = p_attempt and o.claimed_by is not null
  for update;

  if not found then
    return false;
  end if;
  if v_cleanup.kind = 'supabase_place' then
    perform private.release_supabase_place((v_cleanup.context ->> 'app_id')::uuid);
    return true;
  end if;

  update public.cleanup_outbox as o
  set finished_at = now(), sealed_token = null, context = '{}', last_error = null, claimed_by = null, claimed_until = null
  where o.id = p_id;
  return true;
end
$$;


--
-- Name: FUNCTION finish_cleanup(p_id bigint, p_attempt integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.finish_cleanup(p_id bigint, p_attempt integer) IS 'Finishes the clean-up, removes its token and context, and releases the place if it is one. False, without a change: this attempt is not the latest, or the clean-up is finished.';


--
-- Name: free_app_name(uuid, text, integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.free_app_name(p_user_id uuid, p_wanted text, p_from integer DEFAULT 1) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_suffix text;
  v_name text;
begin
  for v_number in p_from .. 2147483647 loop
    v_suffix := case when v_number > 1 then ' (' || v_number || ')' else '' end;
    v_name := left(p_wanted, 120 - length(v_suffix)) || v_suffix;
    exit when not exists (select from public.apps as a where a.user_id = p_user_id and a.app_name = v_name);
  end loop;
  return v_name;
end
$$;


--
-- Name: FUNCTION free_app_name(p_user_id uuid, p_wanted text, p_from integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.free_app_name(p_user_id uuid, p_wanted text, p_from integer) IS 'The name, or the first `name (n)` from p_from on, that no app of the user has. To be called under the user''s lock.';


--
-- Name: has_visible_character(text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.has_visible_character(p_text text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- The code points are listed, because \s and [[:space:]] depend on the locale.
  return p_text collate "C" ~ '[^\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]';
end
$$;


--
-- Name: FUNCTION has_visible_character(p_text text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.has_visible_character(p_text text) IS 'Whether the text has a character that a reader can see: not only spaces, control and format characters.';


--
-- Name: deployment_config_history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.deployment_config_history (
    id bigint NOT NULL,
    key text NOT NULL,
    action public.config_action NOT NULL,
    old_value text,
    new_value text,
    old_encrypted boolean,
    new_encrypted boolean,
    old_key_id text,
    new_key_id text,
    old_salt bytea,
    new_salt bytea,
    old_digest bytea,
    new_digest bytea,
    actor_role text NOT NULL,
    acting_user_id uuid,
    changed_at timestamp with time zone DEFAULT now() NOT NULL,
    redacted_at timestamp with time zone,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT deployment_config_history_action_says_sides_check CHECK ((((old_encrypted IS NOT NULL) = (action = ANY (ARRAY['update'::public.config_action, 'delete'::public.config_action]))) AND ((new_encrypted IS NOT NULL) = (action = ANY (ARRAY['found'::public.config_action, 'insert'::public.config_action, 'update'::public.config_action]))))),
    CONSTRAINT deployment_config_history_encrypted_sides_have_key_ids_check CHECK ((((old_key_id IS NULL) = (old_encrypted IS NOT TRUE)) AND ((new_key_id IS NULL) = (new_encrypted IS NOT TRUE)))),
    CONSTRAINT deployment_config_history_hashes_are_sha256_check CHECK (((octet_length(previous_hash) = 32) AND (octet_length(hash) = 32) AND (octet_length(COALESCE(old_digest, hash)) = 32) AND (octet_length(COALESCE(new_digest, hash)) = 32))),
    CONSTRAINT deployment_config_history_only_plain_values_check CHECK ((((old_value IS NULL) OR (old_encrypted IS FALSE)) AND ((new_value IS NULL) OR (new_encrypted IS FALSE)))),
    CONSTRAINT deployment_config_history_redacted_without_values_check CHECK (((redacted_at IS NULL) OR ((old_value IS NULL) AND (new_value IS NULL)))),
    CONSTRAINT deployment_config_history_sides_have_digests_check CHECK ((((old_digest IS NULL) = (old_encrypted IS NULL)) AND ((new_digest IS NULL) = (new_encrypted IS NULL)))),
    CONSTRAINT deployment_config_history_values_have_salts_check CHECK ((((old_value IS NULL) OR (old_salt IS NOT NULL)) AND ((new_value IS NULL) OR (new_salt IS NOT NULL))))
);

ALTER TABLE ONLY public.deployment_config_history FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE deployment_config_history; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.deployment_config_history IS 'Every change of a setting, chained by hashes. Inserted by trigger only.';


--
-- Name: COLUMN deployment_config_history.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.id IS 'Identifies the entry; increases along the chain.';


--
-- Name: COLUMN deployment_config_history.key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.key IS 'Name of the setting. A rename is a delete and an insert.';


--
-- Name: COLUMN deployment_config_history.action; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.action IS 'What happened to the setting.';


--
-- Name: COLUMN deployment_config_history.old_value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.old_value IS 'The value before the change, if it was plain and is not redacted.';


--
-- Name: COLUMN deployment_config_history.new_value; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.new_value IS 'The value after the change, if it is plain and not redacted.';


--
-- Name: COLUMN deployment_config_history.old_encrypted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.old_encrypted IS 'Whether the value before the change was encrypted. Null: there was none.';


--
-- Name: COLUMN deployment_config_history.new_encrypted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.new_encrypted IS 'Whether the value after the change is encrypted. Null: there is none.';


--
-- Name: COLUMN deployment_config_history.old_key_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.old_key_id IS 'The key that sealed the value before the change, if it was encrypted.';


--
-- Name: COLUMN deployment_config_history.new_key_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.new_key_id IS 'The key that sealed the value after the change, if it is encrypted.';


--
-- Name: COLUMN deployment_config_history.old_salt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.old_salt IS 'The salt of old_digest; null after a plain value is redacted.';


--
-- Name: COLUMN deployment_config_history.new_salt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.new_salt IS 'The salt of new_digest; null after a plain value is redacted.';


--
-- Name: COLUMN deployment_config_history.old_digest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.old_digest IS 'SHA-256 of old_salt and the value before the change, or its ciphertext.';


--
-- Name: COLUMN deployment_config_history.new_digest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.new_digest IS 'SHA-256 of new_salt and the value after the change, or its ciphertext.';


--
-- Name: COLUMN deployment_config_history.actor_role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.actor_role IS 'The role that made the change.';


--
-- Name: COLUMN deployment_config_history.acting_user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.acting_user_id IS 'The user for whom a service made it, as set in leo.acting_user.';


--
-- Name: COLUMN deployment_config_history.changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.changed_at IS 'The start of the transaction, as in updated_at.';


--
-- Name: COLUMN deployment_config_history.redacted_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.redacted_at IS 'When the plain values and their salts were removed; the entry `redact` of that time has the role and user.';


--
-- Name: COLUMN deployment_config_history.previous_hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.previous_hash IS 'The hash of the previous entry; zeros in the first.';


--
-- Name: COLUMN deployment_config_history.hash; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.deployment_config_history.hash IS 'SHA-256 of this entry without values, salts and redacted_at; see private.hash_config_history.';


--
-- Name: hash_config_history(public.deployment_config_history); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.hash_config_history(p_entry public.deployment_config_history) RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select sha256(convert_to(
    string_agg(coalesce(octet_length(convert_to(field, 'UTF8')) || ':' || field, '-'), ',' order by position),
    'UTF8'
  ))
  from unnest(array[
    encode(p_entry.previous_hash, 'hex'),
    p_entry.id::text,
    p_entry.key,
    p_entry.action::text,
    p_entry.old_encrypted::text,
    p_entry.new_encrypted::text,
    p_entry.old_key_id,
    p_entry.new_key_id,
    encode(p_entry.old_digest, 'hex'),
    encode(p_entry.new_digest, 'hex'),
    p_entry.actor_role,
    p_entry.acting_user_id::text,
    -- Microseconds: the text of a time depends on settings of the session.
    (extract(epoch from p_entry.changed_at) * 1000000)::bigint::text
  ]) with ordinality as fields (field, position)
$$;


--
-- Name: FUNCTION hash_config_history(p_entry public.deployment_config_history); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.hash_config_history(p_entry public.deployment_config_history) IS 'The hash of an entry, from its other columns.';


--
-- Name: https_url(text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.https_url(p_url text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select url
  from (select regexp_replace(btrim(p_url, E' \t\r\n'), '^http://', 'https://', 'i')) as repaired (url)
  where private.is_https_url(url)
$$;


--
-- Name: FUNCTION https_url(p_url text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.https_url(p_url text) IS 'The URL with https; null if it is not a valid https URL.';


--
-- Name: is_https_url(text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.is_https_url(p_text text) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return p_text collate "C" ~ '^https://[!-~]+$';
end
$_$;


--
-- Name: FUNCTION is_https_url(p_text text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.is_https_url(p_text text) IS 'Whether the text is an https URL, in printable ASCII without spaces.';


--
-- Name: lock_generations(integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.lock_generations(p_limit integer) RETURNS integer[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    AS $$
begin
  return array(
    select r.id
    from public.generation_requests as r
    where r.status = 'queued' and (r.available_at is null or r.available_at <= now())
    order by r.priority desc, r.queue_at, r.id
    limit p_limit
    for no key update skip locked
  );
end
$$;


--
-- Name: FUNCTION lock_generations(p_limit integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.lock_generations(p_limit integer) IS 'Locks the next generations, skips locked ones, and returns the ids in order.';


--
-- Name: lock_generations_within_limit(integer, integer, integer[]); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.lock_generations_within_limit(p_limit integer, p_user_limit integer, p_ending integer[]) RETURNS integer[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    AS $$
declare
  v_rows integer;
  v_seen integer;
  v_candidate record;
  v_ids integer[] := '{}';
  v_users uuid[] := '{}';
  -- Users without a (further) generation in this claim.
  v_skipped uuid[] := '{}';
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = 'LEO11',
      message = 'a claim with a limit per user counts in READ COMMITTED transactions only';
  end if;

  foreach v_rows in array array[50, 1000] loop
    v_seen := 0;
    for v_candidate in
      select r.id, r.user_id
      from public.generation_requests as r
      where r.status = 'queued' and (r.available_at is null or r.available_at <= now()) and r.user_id <> all (v_skipped)
      order by r.priority desc, r.queue_at, r.id
      limit v_rows
    loop
      v_seen := v_seen + 1;
      continue when v_candidate.id = any (v_ids) or v_candidate.user_id = any (v_skipped);

      -- A concurrent claim has the user's lock, or the user is at the limit.
      if not pg_try_advisory_xact_lock(hashtextextended('generation_requests.claim:' || v_candidate.user_id, 0))
        or cardinality(array_positions(v_users, v_candidate.user_id)) + (
          select count(*)
          from private.generation_leases as l
          where l.user_id = v_candidate.user_id and l.generation_request_id <> all (p_ending) and (
            select r.status = 'generating' and r.attempt = l.attempt
            from public.generation_requests as r
            where r.id = l.generation_request_id
          )
        ) >= p_user_limit
      then
        v_skipped := v_skipped || v_candidate.user_id;
        continue;
      end if;

      perform
      from public.generation_requests as r
      where r.id = v_candidate.id and r.status = 'queued' and (r.available_at is null or r.available_at <= now())
      for no key update skip locked;
      if found then
        v_ids := v_ids || v_candidate.id;
        v_users := v_users || v_candidate.user_id;
        if cardinality(v_ids) = p_limit then
          return v_ids;
        end if;
      end if;
    end loop;

    exit when v_seen < v_rows;
    v_skipped := v_skipped || array(
      select l.user_id
      from private.generation_leases as l
      where l.generation_request_id <> all (p_ending) and (
        select r.status = 'generating' and r.attempt = l.attempt
        from public.generation_requests as r
        where r.id = l.generation_request_id
      )
      group by l.user_id
      having count(*) >= p_user_limit
    );
  end loop;

  return v_ids;
end
$$;


--
-- Name: FUNCTION lock_generations_within_limit(p_limit integer, p_user_limit integer, p_ending integer[]); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.lock_generations_within_limit(p_limit integer, p_user_limit integer, p_ending integer[]) IS 'Locks the next generations within the limit per user, which does not count p_ending, and returns the ids in order. Raises LEO11.';


--
-- Name: log_activity(uuid, text, text, text, jsonb); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.log_activity(p_user_id uuid, p_object_type text, p_object_id text, p_action text, p_detail jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- An operator restores rows from quarantine, which is no activity. A user cannot claim that.
  if current_setting('leo.is_upgrade', true) = 'on' and private.acting_role() <> 'authenticated' then
    return;
  end if;

  -- No entry for a user who is being deleted. Waiting for the deletion, as the foreign key would, is a deadlock: its
  -- cascade waits for the row that is written here.
  perform from auth.users as u where u.id = p_user_id for key share skip locked;
  if not found then
    return;
  end if;

  insert into public.user_activity_log (user_id, object_type, object_id, action, ip, user_agent, detail)
  select p_user_id, p_object_type, p_object_id, p_action, r.ip, r.user_agent, p_detail
  from private.request_metadata() as r;
end
$$;


--
-- Name: FUNCTION log_activity(p_user_id uuid, p_object_type text, p_object_id text, p_action text, p_detail jsonb); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.log_activity(p_user_id uuid, p_object_type text, p_object_id text, p_action text, p_detail jsonb) IS 'Inserts an entry of the activity log, unless the user is being deleted.';


--
-- Name: merge_json(jsonb, jsonb, integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.merge_json(p_target jsonb, p_patch jsonb, p_levels integer DEFAULT 32) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_target constant jsonb := case jsonb_typeof(p_target) when 'object' then p_target else '{}' end;
begin
  if p_levels <= 0 or jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  end if;

  return coalesce(
    (
      select jsonb_object_agg(m.key, m.value)
      from (
        select t.key, t.value
        from jsonb_each(v_target) as t
        where not p_patch ? t.key
        union all
        select
          p.key,
          case jsonb_typeof(p.value)
            when 'object' then private.merge_json(coalesce(v_target -> p.key, '{}'), p.value, p_levels - 1)
            else p.value
          end
        from jsonb_each(p_patch) as p
        where jsonb_typeof(p.value) <> 'null'
      ) as m
    ),
    '{}'
  );
end
$$;


--
-- Name: FUNCTION merge_json(p_target jsonb, p_patch jsonb, p_levels integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.merge_json(p_target jsonb, p_patch jsonb, p_levels integer) IS 'RFC 7396: merges the patch into the target, down to p_levels levels of objects; below, the patch replaces.';


--
-- Name: metadata_object(jsonb); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.metadata_object(p_metadata jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when jsonb_typeof(p_metadata) <> 'object' then jsonb_build_object('value', p_metadata) else p_metadata end
$$;


--
-- Name: FUNCTION metadata_object(p_metadata jsonb); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.metadata_object(p_metadata jsonb) IS 'The metadata as an object; any other value becomes its member `value`.';


--
-- Name: name_apps(uuid[]); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.name_apps(p_user_ids uuid[]) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_left jsonb;
  v_made integer;
  v_app record;
  v_name text;
begin
  -- The oldest app that wants a name gets it, unless an existing app has it.
  with wanted as materialized (
    select a.*
    from private.apps_in_requests(p_user_ids) as a
    -- Not `not exists`: that can be planned as a join that reads all apps for every batch of users.
    where (select there.id from public.apps as there where there.id = a.app_id) is null
  ),
  made as (
    insert into public.apps (id, user_id, app_name, created_at)
    select distinct on (w.user_id, w.wanted) w.app_id, w.user_id, w.wanted, coalesce(w.since, now())
    from wanted as w
    order by w.user_id, w.wanted, w.since nulls last, w.first_request_id
    on conflict do nothing
    returning id
  )
  select
    (select count(*) from made),
    (
      select jsonb_agg(to_jsonb(w))
      from wanted as w
      where w.app_id not in (select m.id from made as m)
    )
  into v_made, v_left;

  for v_app in
    -- Start with the number of apps before it that want the same name: a thousand would otherwise try half a million.
    select l.*, row_number() over (partition by l.user_id, l.wanted order by l.since nulls last, l.first_request_id) as nth
    from jsonb_to_recordset(v_left)
      as l (user_id uuid, app_id uuid, wanted text, since timestamptz, first_request_id integer)
    order by l.user_id, l.since nulls last, l.first_request_id
  loop
    v_name := private.free_app_name(v_app.user_id, v_app.wanted, v_app.nth::integer);
    insert into public.apps (id, user_id, app_name, created_at)
    values (v_app.app_id, v_app.user_id, v_name, coalesce(v_app.since, now()))
    on conflict do nothing;
    -- Not inserted: an app of another user has the id.
    continue when not found;
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    values ('apps', v_app.first_request_id, v_app.user_id, 'app_name', v_app.wanted, v_name,
      'another app of the user has the name: the app gets another one, the request keeps it');
    v_made := v_made + 1;
  end loop;

  return v_made;
end
$$;


--
-- Name: FUNCTION name_apps(p_user_ids uuid[]); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.name_apps(p_user_ids uuid[]) IS 'Creates the apps of these users from their requests. To be called under their locks. Returns the number of apps.';


--
-- Name: pause_generation_claims(text, text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.pause_generation_claims(p_by text, p_reason text DEFAULT NULL::text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update private.queues set paused_at = coalesce(paused_at, now()), paused_by = p_by, reason = p_reason
  where name = 'generations'
$$;


--
-- Name: FUNCTION pause_generation_claims(p_by text, p_reason text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.pause_generation_claims(p_by text, p_reason text) IS 'Pauses all claims of generations. If they are paused, sets who and why again and keeps the time.';


--
-- Name: prolong_generation_lease(integer, integer, interval); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.prolong_generation_lease(p_id integer, p_attempt integer, p_lease interval) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_expires_at timestamptz;
begin
  if (p_lease between '1 second' and '1 day') is not true then
    raise exception using
      errcode = 'LEO16',
      message = 'a claim has a limit of 1 to 100 rows and a lease of 1 second to 1 day';
  end if;

  update private.generation_leases as l
  set expires_at = now() + p_lease
  from public.generation_requests as r
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
    and l.user_id = r.user_id and l.generation_request_id = r.id and l.attempt = p_attempt
  returning l.expires_at into v_expires_at;
  return v_expires_at;
end
$$;


--
-- Name: FUNCTION prolong_generation_lease(p_id integer, p_attempt integer, p_lease interval); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.prolong_generation_lease(p_id integer, p_attempt integer, p_lease interval) IS 'The heartbeat: renews the lease of this attempt and returns when it expires. Null: this attempt has lost the generation. Raises LEO16.';


--
-- Name: put_back(text, bigint); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.put_back(p_table_name text, p_row_id bigint) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_content jsonb;
  v_repaired jsonb;
  v_request public.generation_requests;
  v_wanted text;
  v_name text;
  v_columns text;
  v_snapshot_id bigint;
  v_count integer := 1;
begin
  -- The row moves, so the row accounting does not change.
  perform set_config('leo.is_upgrade', 'on', true);
  delete from private.quarantine where table_name = p_table_name and row_id = p_row_id returning content into v_content;
  if not found then
    return 0;
  end if;

  if p_table_name = 'generation_requests' then
    v_request := jsonb_populate_record(null::public.generation_requests, v_content);
    v_request.app_id := coalesce(v_request.app_id, private.app_id_of_request(v_request.id));
    v_wanted := coalesce(private.visible_name(v_request.app_name), 'Untitled app');
    perform pg_advisory_xact_lock(private.user_lock_key(v_request.user_id));
    if not exists (select from public.apps as a where a.id = v_request.app_id) then
      v_name := private.free_app_name(v_request.user_id, v_wanted);
      insert into public.apps (id, user_id, app_name, created_at)
      values (v_request.app_id, v_request.user_id, v_name, coalesce(v_request.created_at, now()));
      if v_name <> v_wanted then
        insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
        values ('apps', p_row_id, v_request.user_id, 'app_name', v_wanted, v_name,
          'another app of the user has the name: the app gets another one, the request keeps it');
      end if;
    end if;
    v_repaired := v_content || jsonb_build_object(
      'app_id', v_request.app_id,
      'app_name', case when private.visible_name(v_request.app_name) is null then 'Untitled app' else v_request.app_name end
    );
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    select p_table_name, p_row_id, v_request.user_id, m.key, v_content ->> m.key, m.value,
      case m.key when 'app_id' then 'it was null: an id derived from the id of the request' else 'no visible character' end
    from jsonb_each_text(v_repaired) as m
    where m.key in ('app_id', 'app_name') and m.value is distinct from v_content ->> m.key;
    v_content := v_repaired;
  else
    v_content := v_content || jsonb_build_object(
      'user_id',
      (select r.user_id from public.generation_requests as r where r.id = (v_content ->> 'generation_request_id')::integer)
    );
  end if;

  select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into v_columns
  from pg_attribute as a
  where a.attrelid = format('public.%I', p_table_name)::regclass
    and a.attnum > 0 and not a.attisdropped and v_content ? a.attname;
  execute format(
    'insert into public.%1$I (%2$s) select %2$s from jsonb_populate_record(null::public.%1$I, $1)', p_table_name, v_columns
  ) using v_content;

  if p_table_name = 'generation_requests' then
    for v_snapshot_id in
      select q.row_id
      from private.quarantine as q
      where q.table_name = 'iteration_snapshots' and q.reason = 'its generation is in quarantine'
        and (q.content ->> 'generation_request_id')::bigint = p_row_id
      order by q.row_id
    loop
      v_count := v_count + private.put_back('iteration_snapshots', v_snapshot_id);
    end loop;
  end if;
  return v_count;
end
$_$;


--
-- Name: FUNCTION put_back(p_table_name text, p_row_id bigint); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.put_back(p_table_name text, p_row_id bigint) IS 'Moves a repaired row from quarantine to its table, a generation with its snapshots. Returns the number of rows; 0 if it is not in quarantine.';


--
-- Name: record_iteration(integer, integer, integer, public.snapshot_type, text, text, jsonb, text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.record_iteration(p_id integer, p_attempt integer, p_iteration_number integer, p_snapshot_type public.snapshot_type, p_files_snapshot text, p_prompt_used text DEFAULT NULL::text, p_metadata jsonb DEFAULT NULL::jsonb, p_session_id text DEFAULT NULL::text) RETURNS integer
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_user_id uuid;
  v_snapshot_id integer;
begin
  -- The generation before its snapshot, whose foreign key locks it.
  update public.generation_requests as r
  set
    -- A new attempt repeats earlier iterations.
    current_iteration = greatest(r.current_iteration, p_iteration_number),
    last_session_id = coalesce(p_session_id, r.last_session_id)
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
  returning r.user_id into v_user_id;

  if not found then
    return null;
  end if;

  insert into public.iteration_snapshots
    (user_id, generation_request_id, iteration_number, snapshot_type, files_snapshot, prompt_used, metadata)
  values (v_user_id, p_id, p_iteration_number, p_snapshot_type, p_files_snapshot, p_prompt_used, p_metadata)
  returning id into v_snapshot_id;
  return v_snapshot_id;
end
$$;


--
-- Name: FUNCTION record_iteration(p_id integer, p_attempt integer, p_iteration_number integer, p_snapshot_type public.snapshot_type, p_files_snapshot text, p_prompt_used text, p_metadata jsonb, p_session_id text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.record_iteration(p_id integer, p_attempt integer, p_iteration_number integer, p_snapshot_type public.snapshot_type, p_files_snapshot text, p_prompt_used text, p_metadata jsonb, p_session_id text) IS 'Stores the snapshot of an iteration, and the session to resume. Returns the id of the snapshot; null, without a change: this attempt has lost the generation.';


--
-- Name: redact_config_history(text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.redact_config_history(p_key text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform from private.audit_heads as h where h.table_name = 'deployment_config_history' for update;

  update public.deployment_config_history as e
  set
    old_value = null,
    new_value = null,
    old_salt = case when e.old_encrypted then e.old_salt end,
    new_salt = case when e.new_encrypted then e.new_salt end,
    redacted_at = now()
  where e.key = p_key and e.redacted_at is null and (e.old_encrypted is false or e.new_encrypted is false);

  if found then
    perform private.append_config_history(p_key, 'redact');
  end if;
end
$$;


--
-- Name: FUNCTION redact_config_history(p_key text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.redact_config_history(p_key text) IS 'Removes all plain values of a key and their salts from the history, and records that. Called by trigger when the key is encrypted, and by an operator for a secret that was stored in plain and deleted. Backups and the write-ahead log keep the value, so such a secret must be replaced, too.';


--
-- Name: release_generation(integer, integer); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.release_generation(p_id integer, p_attempt integer) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_reason constant text := coalesce(current_setting('leo.reason', true), '');
  v_user_id uuid;
begin
  if v_reason = '' then
    perform set_config('leo.reason', 'released by its worker', true);
  end if;
  update public.generation_requests as r
  set status = 'queued'
  where r.id = p_id and r.attempt = p_attempt and r.status = 'generating'
  returning r.user_id into v_user_id;
  perform set_config('leo.reason', v_reason, true);

  if v_user_id is null then
    return false;
  end if;

  delete from private.generation_leases as l where l.user_id = v_user_id and l.generation_request_id = p_id;
  return true;
end
$$;


--
-- Name: FUNCTION release_generation(p_id integer, p_attempt integer); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.release_generation(p_id integer, p_attempt integer) IS 'Queues an unfinished generation again at its position. False, without a change: this attempt has lost the generation.';


--
-- Name: release_supabase_place(uuid); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.release_supabase_place(p_app_id uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_ref text;
begin
  select p.supabase_project_ref into v_ref
  from public.supabase_project_places as p
  where p.app_id = p_app_id and p.status = 'releasing';

  -- The clean-up first: private.finish_cleanup has locked it before it calls this function.
  update public.cleanup_outbox as o
  set finished_at = now(), context = '{}', last_error = null, claimed_by = null, claimed_until = null
  where o.kind = 'supabase_place' and o.target = v_ref and o.context ->> 'app_id' = p_app_id::text
    and o.finished_at is null;

  delete from public.supabase_project_places as p
  where p.app_id = p_app_id and p.status = 'releasing';

  if not found then
    raise exception using
      errcode = 'LEO15',
      message = format('app %s has no place to be wiped', p_app_id),
      schema = 'public', table = 'supabase_project_places';
  end if;

  update public.supabase_projects as p set used = p.used - 1 where p.ref = v_ref;
end
$$;


--
-- Name: FUNCTION release_supabase_place(p_app_id uuid); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.release_supabase_place(p_app_id uuid) IS 'Releases the place of a deleted app after it is wiped, and finishes its clean-up. Raises LEO15 if there is no such place: released before, still in use, or never allocated.';


--
-- Name: request_metadata(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.request_metadata(OUT ip inet, OUT user_agent text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_setting constant text := current_setting('request.headers', true);
  v_headers jsonb;
begin
  -- Without a request: do not start a subtransaction.
  if coalesce(v_setting, '') = '' then
    return;
  end if;

  -- Headers from a client must not make a write fail. PostgreSQL 15 has no function to test whether a text is JSON.
  begin
    v_headers := v_setting::jsonb;
  exception
    when data_exception or program_limit_exceeded then
      return;
  end;
  user_agent := nullif(left(v_headers ->> 'user-agent', 512), '');

  begin
    ip := nullif(btrim(split_part(v_headers ->> 'x-forwarded-for', ',', 1)), '')::inet;
  exception
    when data_exception then
      null;
  end;
end
$$;


--
-- Name: FUNCTION request_metadata(OUT ip inet, OUT user_agent text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.request_metadata(OUT ip inet, OUT user_agent text) IS 'Address and user agent of a Data API request, from its headers. Raises no error.';


--
-- Name: requeue_expired_generations(integer, integer, interval); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.requeue_expired_generations(p_limit integer DEFAULT 100, p_max_failures integer DEFAULT 3, p_backoff interval DEFAULT '00:00:30'::interval) RETURNS TABLE(id integer, attempt integer, status public.generation_status)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  v_lease record;
begin
  for v_lease in
    select l.user_id, l.generation_request_id, l.attempt
    from private.generation_leases as l
    where l.expires_at <= now()
    order by l.expires_at
    limit p_limit
  loop
    perform
    from public.generation_requests as r
    where r.id = v_lease.generation_request_id and r.attempt = v_lease.attempt and r.status = 'generating'
    for no key update skip locked;

    if found then
      -- The generation is locked, so no other session ends the lease; a heartbeat can have renewed it.
      delete from private.generation_leases as l
      where l.user_id = v_lease.user_id and l.generation_request_id = v_lease.generation_request_id and l.expires_at <= now();
      if found then
        id := v_lease.generation_request_id;
        attempt := v_lease.attempt;
        status := private.fail_generation(id, attempt, 'its worker was lost: the lease expired', p_max_failures, p_backoff);
        return next;
      end if;
    else
      -- The lease of an attempt that has ended. SKIP LOCKED: do not wait for a lease while generations are locked.
      perform
      from private.generation_leases as l
      where l.user_id = v_lease.user_id and l.generation_request_id = v_lease.generation_request_id
        and l.attempt = v_lease.attempt and not exists (
          select from public.generation_requests as r
          where r.id = v_lease.generation_request_id and r.attempt = v_lease.attempt and r.status = 'generating'
        )
      for update skip locked;
      if found then
        delete from private.generation_leases as l
        where l.user_id = v_lease.user_id and l.generation_request_id = v_lease.generation_request_id;
      end if;
    end if;
  end loop;
end
$$;


--
-- Name: FUNCTION requeue_expired_generations(p_limit integer, p_max_failures integer, p_backoff interval); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.requeue_expired_generations(p_limit integer, p_max_failures integer, p_backoff interval) IS 'Fails at most p_limit attempts with an expired lease as fail_generation does, and returns each with its new status.';


--
-- Name: resume_generation_claims(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.resume_generation_claims() RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update private.queues set paused_at = null, paused_by = null, reason = null where name = 'generations'
$$;


--
-- Name: FUNCTION resume_generation_claims(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.resume_generation_claims() IS 'Resumes the claims of generations.';


--
-- Name: schema_version(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.schema_version() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (select max(m.version) from dbmate.schema_migrations as m);
end
$$;


--
-- Name: FUNCTION schema_version(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.schema_version() IS 'The newest applied migration. SECURITY DEFINER: other roles may not read the bookkeeping.';


--
-- Name: upgrade_progress; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.upgrade_progress (
    phase text NOT NULL,
    "position" text,
    done bigint DEFAULT 0 NOT NULL,
    passed_over bigint DEFAULT 0 NOT NULL,
    is_finished boolean DEFAULT false NOT NULL
);


--
-- Name: TABLE upgrade_progress; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.upgrade_progress IS 'The position of the backfill, so that it can be stopped and continued.';


--
-- Name: COLUMN upgrade_progress.phase; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_progress.phase IS 'contested, users, requests or snapshots; old_writers_gone is the operator''s confirmation.';


--
-- Name: COLUMN upgrade_progress."position"; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_progress."position" IS 'The last key that was processed.';


--
-- Name: COLUMN upgrade_progress.done; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_progress.done IS 'How many rows were processed.';


--
-- Name: COLUMN upgrade_progress.passed_over; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_progress.passed_over IS 'How many rows of this sweep were skipped because another session had locked them; the next sweep processes them.';


--
-- Name: COLUMN upgrade_progress.is_finished; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_progress.is_finished IS 'Whether the last key was processed.';


--
-- Name: take_progress(text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.take_progress(p_phase text) RETURNS private.upgrade_progress
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_progress private.upgrade_progress;
begin
  insert into private.upgrade_progress (phase) values (p_phase) on conflict do nothing;
  select * into strict v_progress from private.upgrade_progress where phase = p_phase for update;
  return v_progress;
end
$$;


--
-- Name: FUNCTION take_progress(p_phase text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.take_progress(p_phase text) IS 'The progress of the phase, locked until the end of the transaction.';


--
-- Name: tg__record_change(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg__record_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_is_upgrade constant boolean := coalesce(current_setting('leo.is_upgrade', true), '') = 'on';
  v_count private.upgrade_counts;
  v_fingerprint bigint;
  v_rows integer := 0;
  v_sum numeric := 0;
begin
  if v_is_upgrade and tg_op <> 'UPDATE' then
    return null;
  end if;
  select * into v_count from private.upgrade_counts as c where c.table_name = tg_table_name;

  if tg_op <> 'INSERT' and old.id <= v_count.last_id then
    execute format('select %s from (select ($1).*) as r', v_count.fingerprint_of) into v_fingerprint using old;
    v_rows := -1;
    v_sum := -v_fingerprint;
  end if;
  if tg_op <> 'DELETE' and new.id <= v_count.last_id then
    execute format('select %s from (select ($1).*) as r', v_count.fingerprint_of) into v_fingerprint using new;
    v_rows := v_rows + 1;
    v_sum := v_sum + v_fingerprint;
  end if;

  if v_rows <> 0 or v_sum <> 0 then
    insert into private.upgrade_changes (table_name, row_id, change, row_count, fingerprint)
    values (
      tg_table_name,
      case when tg_op = 'INSERT' then new.id else old.id end,
      case tg_op when 'INSERT' then 'arrived' when 'DELETE' then 'deleted' else case when v_is_upgrade then 'mended' else 'rewritten' end end,
      v_rows, v_sum
    );
  end if;
  return null;
end
$_$;


--
-- Name: FUNCTION tg__record_change(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg__record_change() IS 'Trigger: records changes of old rows by other sessions. SECURITY DEFINER: a role that deletes users has no privilege here.';


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
    message = format('%s of %s cannot be changed', array_to_string(tg_argv, ', '), tg_table_name),
    schema = tg_table_schema, table = tg_table_name;
end
$$;


--
-- Name: FUNCTION tg__refuse_change(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg__refuse_change() IS 'Trigger: raises LEO06. Its arguments are the frozen columns; the WHEN of the trigger tests whether one has changed.';


--
-- Name: tg__refuse_unknown_iteration(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg__refuse_unknown_iteration() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_max_iterations integer;
begin
  select r.max_iterations into v_max_iterations
  from public.generation_requests as r
  where r.user_id = new.user_id and r.id = new.generation_request_id;

  if new.generation_request_id is null or new.iteration_number > v_max_iterations then
    raise exception using
      errcode = 'LEO17',
      message = format('generation %s has no iteration %s', new.generation_request_id, new.iteration_number),
      schema = tg_table_schema, table = tg_table_name, column = 'iteration_number';
  end if;

  return new;
end
$$;


--
-- Name: FUNCTION tg__refuse_unknown_iteration(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg__refuse_unknown_iteration() IS 'Trigger: raises LEO17 for an iteration beyond the max_iterations of its generation, or without a generation.';


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
-- Name: tg_apps__log_activity(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_apps__log_activity() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  case tg_op
    when 'INSERT' then
      perform private.log_activity(
        new.user_id, 'app', new.id::text, 'create', jsonb_build_object('app_name', new.app_name)
      );
    when 'UPDATE' then
      perform private.log_activity(
        new.user_id, 'app', new.id::text, 'rename', jsonb_build_object('from', old.app_name, 'to', new.app_name)
      );
    else
      perform private.log_activity(
        old.user_id, 'app', old.id::text, 'delete', jsonb_build_object('app_name', old.app_name)
      );
  end case;
  return null;
end
$$;


--
-- Name: FUNCTION tg_apps__log_activity(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_apps__log_activity() IS 'Trigger: logs that the owner created, renamed or deleted an app.';


--
-- Name: tg_apps__record_cleanup(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_apps__record_cleanup() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into public.cleanup_outbox (kind, target, context)
  select distinct left_behind.kind, left_behind.target, jsonb_build_object('app_id', old.id, 'user_id', old.user_id)
  from public.generation_requests as r
  cross join lateral (
    values
      ('github_repository'::public.cleanup_kind, r.github_url),
      ('fly_app'::public.cleanup_kind, r.deployment_url)
  ) as left_behind (kind, target)
  where r.user_id = old.user_id and r.app_id = old.id
    and char_length(left_behind.target) between 1 and 2000
    and not exists (
      select
      from public.cleanup_outbox as o
      where o.kind = left_behind.kind and o.target = left_behind.target and o.finished_at is null and o.claimed_by is null
    );

  if old.supabase_project_ref is not null then
    insert into public.cleanup_outbox (kind, target, context)
    values ('supabase_place', old.supabase_project_ref, jsonb_build_object('app_id', old.id));
  end if;

  return old;
end
$$;


--
-- Name: FUNCTION tg_apps__record_cleanup(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_apps__record_cleanup() IS 'Trigger: inserts the clean-ups of a deleted app. SECURITY DEFINER: roles that delete apps have no privilege on cleanup_outbox.';


--
-- Name: tg_apps__release_supabase_place(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_apps__release_supabase_place() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update public.supabase_project_places as p
  set status = 'releasing', releasing_since = now()
  where p.app_id = old.id;
  return old;
end
$$;


--
-- Name: FUNCTION tg_apps__release_supabase_place(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_apps__release_supabase_place() IS 'Trigger: marks the place of a deleted app. SECURITY DEFINER: roles that delete apps may not write places.';


--
-- Name: tg_deployment_config__lock_history(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_deployment_config__lock_history() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform from private.audit_heads as h where h.table_name = 'deployment_config_history' for update;
  return null;
end
$$;


--
-- Name: FUNCTION tg_deployment_config__lock_history(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_deployment_config__lock_history() IS 'Trigger: makes writers of settings wait for each other. SECURITY DEFINER: other roles may not access the chain.';


--
-- Name: tg_deployment_config__record_history(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_deployment_config__record_history() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if tg_op = 'INSERT' then
    perform private.append_config_history(new.key, 'insert', p_new => new);
  elsif tg_op = 'DELETE' then
    perform private.append_config_history(old.key, 'delete', p_old => old);
  elsif new.key <> old.key then
    perform private.append_config_history(old.key, 'delete', p_old => old);
    perform private.append_config_history(new.key, 'insert', p_new => new);
    if new.encrypted then
      perform private.redact_config_history(old.key);
    end if;
  elsif new.encrypted <> old.encrypted or private.config_substance(new) <> private.config_substance(old) then
    perform private.append_config_history(new.key, 'update', old, new);
  end if;

  if tg_op <> 'DELETE' and new.encrypted then
    perform private.redact_config_history(new.key);
  end if;
  return null;
end
$$;


--
-- Name: FUNCTION tg_deployment_config__record_history(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_deployment_config__record_history() IS 'Trigger: appends to the history, and redacts a key that is encrypted. SECURITY DEFINER: other roles may not write the history.';


--
-- Name: tg_deployment_config__refuse_plaintext(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_deployment_config__refuse_plaintext() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- NOT NULL refuses a null in `encrypted` later; here it is treated like true.
  if new.encrypted is not false then
    perform new.value::public.sealed_secret;
  elsif new.value like 'leo1.%' then
    raise exception using
      errcode = 'LEO07',
      message = 'a value in sealed form is declared as not encrypted',
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
-- Name: tg_generation_costs__attribute(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_costs__attribute() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_app_id uuid;
  v_corrected public.generation_costs;
begin
  if new.corrects_id is not null then
    select c.* into v_corrected
    from public.generation_costs as c
    where c.user_id = new.user_id and c.id = new.corrects_id;

    if not found then
      return new;
    end if;

    new.app_id := coalesce(new.app_id, v_corrected.app_id);
    new.generation_request_id := coalesce(new.generation_request_id, v_corrected.generation_request_id);
    new.iteration_number := coalesce(new.iteration_number, v_corrected.iteration_number);
    new.kind := coalesce(new.kind, v_corrected.kind);
    new.model := coalesce(new.model, v_corrected.model);

    if (new.app_id, new.generation_request_id, new.iteration_number, new.kind, new.model) is distinct from (
      v_corrected.app_id, v_corrected.generation_request_id, v_corrected.iteration_number, v_corrected.kind, v_corrected.model
    ) then
      raise exception using
        errcode = 'LEO19',
        message = format('the correction differs from row %s in app, generation, iteration, kind or model', new.corrects_id),
        hint = 'Leave out app, generation, iteration and model.',
        schema = tg_table_schema, table = tg_table_name, column = 'corrects_id';
    end if;

    return new;
  end if;

  if new.generation_request_id is not null then
    select r.app_id into v_app_id
    from public.generation_requests as r
    where r.user_id = new.user_id and r.id = new.generation_request_id;

    if not found then
      return new;
    end if;

    new.app_id := coalesce(new.app_id, v_app_id);
  else
    select a.id into v_app_id
    from public.apps as a
    where a.user_id = new.user_id and a.id = new.app_id;
  end if;

  if new.app_id is distinct from v_app_id then
    raise exception using
      errcode = 'LEO18',
      message = format('app %s is not the app of the generation, or not an app of the user', new.app_id),
      schema = tg_table_schema, table = tg_table_name, column = 'app_id';
  end if;

  return new;
end
$$;


--
-- Name: FUNCTION tg_generation_costs__attribute(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_costs__attribute() IS 'Trigger: copies the app from the generation, or app, generation, iteration, kind and model from the corrected row. Raises LEO18, LEO19.';


--
-- Name: tg_generation_requests__change_status(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_requests__change_status() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_is_service constant boolean := pg_has_role(current_user, 'service_role', 'usage');
  v_allowed public.generation_status[];
  v_by_users public.generation_status[];
begin
  -- Only a change of status changes completed_at.
  if new.status = old.status then
    new.completed_at := old.completed_at;
    return new;
  end if;

  case old.status
    when 'queued' then
      v_allowed := '{generating,paused,cancelled}';
      v_by_users := '{paused,cancelled}';
    when 'generating' then
      v_allowed := '{completed,failed,paused,cancelled,queued}';
      v_by_users := '{paused,cancelled}';
    when 'paused' then
      v_allowed := '{queued,cancelled}';
      v_by_users := v_allowed;
    when 'failed' then
      v_allowed := '{queued}';
      v_by_users := v_allowed;
    else
      v_allowed := '{}';
      v_by_users := '{}';
  end case;

  if new.status <> all (v_allowed) then
    raise exception using
      errcode = 'LEO01',
      message = format('the status of a generation cannot change from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if not v_is_service and new.status <> all (v_by_users) then
    raise exception using
      errcode = 'LEO02',
      message = format('only a service may change the status of a generation from %s to %s', old.status, new.status),
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  if new.status = 'queued' and not v_is_service then
    if old.status = 'failed' then
      if old.retry_count >= 3 then
        raise exception using
          errcode = 'LEO03',
          message = 'this generation has been retried 3 times, which is the maximum',
          hint = 'Start a new one.',
          schema = tg_table_schema, table = tg_table_name, column = 'status';
      end if;
      new.retry_count := old.retry_count + 1;
    end if;
    select greatest(now(), max(r.queue_at) + interval '1 minute') into new.queue_at
    from public.generation_requests as r
    where r.user_id = new.user_id and r.status = 'queued';
  end if;

  if old.status in ('paused', 'failed') then
    new.failure_count := 0;
  end if;
  if new.status <> 'queued' or old.status <> 'generating' then
    new.available_at := null;
  end if;

  -- The fence: writes that name an earlier attempt match no row from now on.
  if new.status = 'generating' then
    new.attempt := old.attempt + 1;
  end if;

  -- greatest(): after a failover the clock can be behind the one that wrote created_at.
  new.completed_at := case
    when new.status in ('completed', 'failed', 'cancelled') then greatest(now(), new.created_at)
  end;

  return new;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__change_status(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__change_status() IS 'Trigger: the status machine. Raises LEO01, LEO02, LEO03; keeps completed_at, attempt, retry_count, queue_at, failure_count and available_at.';


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

  -- Unless a service sets another position. Two concurrent inserts of one user can get the same: their ids decide.
  if new.status = 'queued' and new.queue_at = now() then
    select greatest(now(), max(r.queue_at) + interval '1 minute') into new.queue_at
    from public.generation_requests as r
    where r.user_id = new.user_id and r.status = 'queued';
  end if;

  return new;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__enqueue(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__enqueue() IS 'Trigger: copies the app''s name, sets completed_at of a generation inserted in a final status, and the position of a queued one.';


--
-- Name: tg_generation_requests__follow_old_writer(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_requests__follow_old_writer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_wanted text;
  v_name text;
begin
  if new.user_id is null then
    return new;
  end if;
  if new.app_id is null then
    new.app_id := private.app_id_of_request(new.id);
    insert into private.migration_log (table_name, row_id, user_id, column_name, replacement, reason)
    values ('generation_requests', new.id, (select u.id from auth.users as u where u.id = new.user_id), 'app_id', new.app_id,
      'it was null: an id derived from the id of the request');
  end if;

  -- The operator chooses the owner of an app that several users claim.
  if exists (
    select from private.upgrade_owners as o where o.app_id = new.app_id and o.user_id is distinct from new.user_id
  ) then
    return new;
  end if;
  -- The frequent case first, without a lock: the app exists.
  if exists (select from public.apps as a where a.id = new.app_id and a.user_id = new.user_id) then
    return new;
  end if;

  perform pg_advisory_xact_lock_shared(private.user_lock_key(new.user_id));
  if not exists (select from private.upgrade_users as u where u.user_id = new.user_id)
    and not exists (select from private.upgrade_progress as p where p.phase = 'users' and p.is_finished)
  then
    return new;
  end if;

  begin
    -- A second key: two writers that share the first would deadlock.
    if not pg_try_advisory_xact_lock(private.user_lock_key(new.user_id) + 1) then
      return new;
    end if;
    v_wanted := coalesce(private.visible_name(new.app_name), 'Untitled app');
    v_name := private.free_app_name(new.user_id, v_wanted);
    insert into public.apps (id, user_id, app_name, created_at)
    values (new.app_id, new.user_id, v_name, coalesce(new.created_at, now()))
    on conflict do nothing;
    if found and v_name <> v_wanted then
      insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
      values ('apps', new.id, new.user_id, 'app_name', v_wanted, v_name,
        'another app of the user has the name: the app gets another one, the request keeps it');
    end if;
  exception
    -- The user does not exist, or another user's app has the id: the contract step handles the row.
    when foreign_key_violation or unique_violation then null;
  end;
  return new;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__follow_old_writer(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__follow_old_writer() IS 'Trigger: creates the app of a request from a writer of the previous schema. SECURITY DEFINER: such writers have no privilege on apps.';


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
      message = 'a generation can have 100 iterations at most',
      schema = tg_table_schema, table = tg_table_name, column = 'max_iterations';
  end if;

  -- Row security refuses the row after this trigger; an error here would show how full another user's queue is.
  if new.user_id is distinct from (select auth.uid()) then
    return new;
  end if;

  -- A repeated enqueue does not count: the unique index refuses it.
  if tg_op = 'INSERT' and exists (
    select from public.generation_requests as r
    where r.user_id = new.user_id and r.idempotency_key = new.idempotency_key
  ) then
    return new;
  end if;

  -- The count below must see what the previous holder of the lock committed, which an older snapshot does not.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using
      errcode = 'LEO11',
      message = 'users can queue generations in READ COMMITTED transactions only',
      schema = tg_table_schema, table = tg_table_name;
  end if;

  perform pg_advisory_xact_lock(hashtextextended('generation_requests.queue:' || new.user_id, 0));

  -- A separate statement, so that it sees what the previous holder of the lock committed.
  if (
    select count(*)
    from public.generation_requests as r
    where r.user_id = new.user_id and r.status = 'queued'
  ) >= 20 then
    raise exception using
      errcode = 'LEO04',
      message = '20 generations are queued, which is the maximum',
      hint = 'Wait until one starts, or cancel one.',
      schema = tg_table_schema, table = tg_table_name, column = 'status';
  end if;

  return new;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__limit_user(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__limit_user() IS 'Trigger: the limits for users. Raises LEO04, LEO05, LEO11.';


--
-- Name: tg_generation_requests__log_enqueue(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_requests__log_enqueue() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform private.log_activity(
    new.user_id, 'generation', new.id::text, 'enqueue', jsonb_build_object('app_id', new.app_id)
  );
  return null;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__log_enqueue(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__log_enqueue() IS 'Trigger: logs that the owner enqueued a generation.';


--
-- Name: tg_generation_requests__log_status_change(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_requests__log_status_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_action constant text := case
    when new.status = old.status then null
    when new.status = 'paused' then 'pause'
    when new.status = 'cancelled' then 'cancel'
    when old.status = 'paused' then 'resume'
    when old.status = 'failed' then 'retry'
  end;
begin
  -- Not an action: a lost lease, for example.
  if v_action is not null and private.acting_user_id() = new.user_id then
    perform private.log_activity(
      new.user_id, 'generation', new.id::text, v_action, jsonb_build_object('app_id', new.app_id, 'from', old.status)
    );
  end if;
  return null;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__log_status_change(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__log_status_change() IS 'Trigger: logs that the owner paused, resumed, cancelled or retried a generation, directly or through a service.';


--
-- Name: tg_generation_requests__record_event(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_generation_requests__record_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_role constant text := private.acting_role();
  v_user_id uuid := private.acting_user_id();
  v_reason constant text := nullif(current_setting('leo.reason', true), '');
  v_actor constant public.event_actor := case
    when v_role = 'authenticated' then 'user'
    -- The owner, who is current_user here, and superusers have the privileges of service_role, too.
    when v_role <> current_user and pg_has_role(v_role, 'service_role', 'usage')
      and not (select r.rolsuper from pg_roles as r where r.rolname = v_role) then 'service'
    else 'system'
  end;
begin
  if v_user_id is not null then
    select u.id into v_user_id from auth.users as u where u.id = v_user_id for key share skip locked;
  end if;

  if tg_op = 'INSERT' then
    insert into public.generation_events
      (user_id, generation_request_id, from_status, to_status, iteration_number, reason, actor, acting_user_id)
    select
      n.user_id, n.id, null, n.status, n.current_iteration,
      left(coalesce(v_reason, case when n.status = 'failed' then nullif(n.error_message, '') end), 2000),
      v_actor, v_user_id
    from new_rows as n;
  else
    insert into public.generation_events
      (user_id, generation_request_id, from_status, to_status, iteration_number, reason, actor, acting_user_id)
    select
      n.user_id, n.id, o.status, n.status, n.current_iteration,
      left(coalesce(v_reason, case when n.status = 'failed' then nullif(n.error_message, '') end), 2000),
      v_actor, v_user_id
    from old_rows as o
    join new_rows as n on n.id = o.id
    where n.status <> o.status;
  end if;
  return null;
end
$$;


--
-- Name: FUNCTION tg_generation_requests__record_event(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_generation_requests__record_event() IS 'Trigger: inserts the events of changes of status. SECURITY DEFINER: other roles may not write the timeline.';


--
-- Name: tg_iteration_snapshots__follow_old_writer(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_iteration_snapshots__follow_old_writer() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  select r.user_id into new.user_id
  from public.generation_requests as r
  where r.id = new.generation_request_id;
  return new;
end
$$;


--
-- Name: FUNCTION tg_iteration_snapshots__follow_old_writer(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_iteration_snapshots__follow_old_writer() IS 'Trigger: sets the owner of a snapshot. SECURITY DEFINER: writers of the previous schema may lack SELECT on requests.';


--
-- Name: tg_quarantine__record_change(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_quarantine__record_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_count private.upgrade_counts;
  v_before bigint;
  v_after bigint;
begin
  select * into v_count from private.upgrade_counts as c where c.table_name = old.table_name;
  if coalesce(current_setting('leo.is_upgrade', true), '') = 'on' or old.row_id > v_count.last_id or v_count is null then
    return null;
  end if;

  execute format('select %s from jsonb_populate_record(null::public.%I, $1) as r', v_count.fingerprint_of, old.table_name)
    into v_before using old.content;
  if tg_op = 'UPDATE' then
    execute format('select %s from jsonb_populate_record(null::public.%I, $1) as r', v_count.fingerprint_of, old.table_name)
      into v_after using new.content;
  end if;
  insert into private.upgrade_changes (table_name, row_id, change, row_count, fingerprint)
  values (
    old.table_name, old.row_id,
    case tg_op when 'UPDATE' then 'repaired' else 'deleted' end,
    case tg_op when 'UPDATE' then 0 else -1 end,
    coalesce(v_after, 0)::numeric - v_before
  );
  return null;
end
$_$;


--
-- Name: FUNCTION tg_quarantine__record_change(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_quarantine__record_change() IS 'Trigger: records rows in quarantine that are deleted with their user, or repaired. SECURITY DEFINER: a role that deletes users has no privilege here.';


--
-- Name: tg_user_profiles__log_activity(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_user_profiles__log_activity() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- For an insert OLD is null; it changes the defaults.
  v_old_preferences constant jsonb := coalesce(old.preferences, '{}');
  v_columns constant text[] := array_remove(
    array[
      case when old.display_name is distinct from new.display_name then 'display_name' end,
      case when old.avatar_url is distinct from new.avatar_url then 'avatar_url' end,
      case when v_old_preferences <> new.preferences then 'preferences' end
    ],
    null
  );
  v_members jsonb;
begin
  select jsonb_agg(s.key order by s.key)
  into v_members
  from (
    select c.key, sum(octet_length(to_jsonb(c.key)::text) + 2) over (order by c.key) as size
    from (
      select key collate "C" as key
      from jsonb_each(v_old_preferences) as o
      full join jsonb_each(new.preferences) as n using (key)
      where o.value is distinct from n.value and char_length(key) <= 64
    ) as c
  ) as s
  where s.size <= 3000;

  perform private.log_activity(
    new.user_id,
    'profile',
    new.user_id::text,
    case tg_op when 'INSERT' then 'create' else 'change' end,
    jsonb_strip_nulls(jsonb_build_object('columns', v_columns, 'preferences', v_members))
  );
  return null;
end
$$;


--
-- Name: FUNCTION tg_user_profiles__log_activity(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_user_profiles__log_activity() IS 'Trigger: logs that the owner created or changed the profile, with the names of what changed.';


--
-- Name: tg_user_profiles__merge_preferences(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_user_profiles__merge_preferences() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- A valid patch is smaller, at about four times its text; a larger one is not merged, and the check refuses its size.
  if pg_column_size(new.preferences) <= 131072 then
    new.preferences := private.merge_json(old.preferences, new.preferences);
  end if;
  return new;
end
$$;


--
-- Name: FUNCTION tg_user_profiles__merge_preferences(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_user_profiles__merge_preferences() IS 'Trigger: merges the new preferences into the old ones. SECURITY DEFINER: writers may not use private.';


--
-- Name: tg_user_secrets__log_activity(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_user_secrets__log_activity() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  case tg_op
    when 'INSERT' then
      perform private.log_activity(
        new.user_id, 'secret', new.id::text, 'connect', jsonb_build_object('provider', new.provider)
      );
    when 'UPDATE' then
      if private.acting_user_id() = new.user_id then
        perform private.log_activity(
          new.user_id, 'secret', new.id::text, 'replace', jsonb_build_object('provider', new.provider)
        );
      end if;
    else
      perform private.log_activity(
        old.user_id, 'secret', old.id::text, 'remove', jsonb_build_object('provider', old.provider)
      );
  end case;
  return null;
end
$$;


--
-- Name: FUNCTION tg_user_secrets__log_activity(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_user_secrets__log_activity() IS 'Trigger: logs that the owner connected a provider, replaced the token, or deleted the connection.';


--
-- Name: tg_user_secrets__record_cleanup(); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.tg_user_secrets__record_cleanup() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into public.cleanup_outbox (kind, target, sealed_token, context)
  values (
    'oauth_token', old.provider, old.encrypted_token,
    jsonb_build_object('secret_id', old.id, 'user_id', old.user_id, 'provider', old.provider)
  );
  return old;
end
$$;


--
-- Name: FUNCTION tg_user_secrets__record_cleanup(); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.tg_user_secrets__record_cleanup() IS 'Trigger: inserts the revocation of a deleted token. SECURITY DEFINER: roles that delete connections have no privilege on cleanup_outbox.';


--
-- Name: user_lock_key(uuid); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.user_lock_key(p_user_id uuid) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select hashtextextended('leo upgrade ' || p_user_id, 0)
$$;


--
-- Name: FUNCTION user_lock_key(p_user_id uuid); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.user_lock_key(p_user_id uuid) IS 'The key of the advisory lock for naming a user''s apps.';


--
-- Name: visible_name(text); Type: FUNCTION; Schema: private; Owner: -
--

CREATE FUNCTION private.visible_name(p_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select case when private.has_visible_character(left(p_name, 120)) then left(p_name, 120) end
$$;


--
-- Name: FUNCTION visible_name(p_name text); Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON FUNCTION private.visible_name(p_name text) IS 'The name, cut to the length that an app may have; null without a visible character.';


--
-- Name: diff_schema_snapshots(bigint, bigint); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.diff_schema_snapshots(p_from bigint, p_to bigint) RETURNS TABLE(table_name text, column_name text, change text, before jsonb, after jsonb)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  -- No row, and hence an empty result, unless both snapshots are visible.
  with snapshots as materialized (
    select earlier.tables as before, later.tables as after
    from public.schema_snapshots as earlier
    cross join public.schema_snapshots as later
    where earlier.id = p_from and later.id = p_to
  ),
  tables as materialized (
    select table_name, earlier.value as before, later.value as after
    from (select e.key as table_name, e.value from snapshots cross join jsonb_each(snapshots.before) as e) as earlier
    full join (select e.key as table_name, e.value from snapshots cross join jsonb_each(snapshots.after) as e) as later
      using (table_name)
  ),
  differences as (
    select table_name, null as column_name, before, after
    from tables
    where before is null or after is null
    union all
    select table_name, null, before - 'columns', after - 'columns'
    from tables
    where before is not null and after is not null
    union all
    select table_name, columns.column_name, columns.before, columns.after
    from tables
    cross join lateral (
      select column_name, earlier.value as before, later.value as after
      from (
        select n.key as column_name, n.value
        from jsonb_each((select jsonb_object_agg(e ->> 'name', e) from jsonb_array_elements(tables.before -> 'columns') as e)) as n
      ) as earlier
      full join (
        select n.key as column_name, n.value
        from jsonb_each((select jsonb_object_agg(e ->> 'name', e) from jsonb_array_elements(tables.after -> 'columns') as e)) as n
      ) as later using (column_name)
    ) as columns
    where tables.before is not null and tables.after is not null
  )
  select
    table_name,
    column_name,
    case when before is null then 'added' when after is null then 'removed' else 'changed' end,
    before,
    after
  from differences
  where before is distinct from after
  order by table_name collate "C", column_name collate "C" nulls first
$$;


--
-- Name: FUNCTION diff_schema_snapshots(p_from bigint, p_to bigint); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.diff_schema_snapshots(p_from bigint, p_to bigint) IS 'What is added, removed or changed between two schema snapshots: tables (column_name is null; before and after without the columns) and columns of tables that are in both. No rows if the caller cannot see both snapshots.';


--
-- Name: schema_version(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.schema_version() RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT private.schema_version() AS schema_version;
END;


--
-- Name: FUNCTION schema_version(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.schema_version() IS 'The version of this schema: the version of its newest migration, 14 digits.';


--
-- Name: audit_heads; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.audit_heads (
    table_name text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_heads_hash_is_sha256_check CHECK ((octet_length(hash) = 32))
);


--
-- Name: TABLE audit_heads; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.audit_heads IS 'The end of the chain of a history; a writer locks the row before it appends.';


--
-- Name: COLUMN audit_heads.table_name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.audit_heads.table_name IS 'The history.';


--
-- Name: COLUMN audit_heads.hash; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.audit_heads.hash IS 'The hash of the last entry; zeros before the first.';


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

COMMENT ON TABLE private.error_codes IS 'The SQLSTATEs that this schema raises.';


--
-- Name: COLUMN error_codes.code; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.error_codes.code IS 'The SQLSTATE.';


--
-- Name: COLUMN error_codes.name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.error_codes.name IS 'Its name in TypeScript.';


--
-- Name: COLUMN error_codes.meaning; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.error_codes.meaning IS 'What it means, for people.';


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

COMMENT ON TABLE private.generation_leases IS 'One row per generation that a worker has claimed.';


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

COMMENT ON COLUMN private.generation_leases.attempt IS 'The attempt of the generation that the lease is for.';


--
-- Name: COLUMN generation_leases.worker; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.generation_leases.worker IS 'The name of the worker.';


--
-- Name: COLUMN generation_leases.expires_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.generation_leases.expires_at IS 'When another worker may take over.';


--
-- Name: migration_log; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.migration_log (
    id bigint NOT NULL,
    table_name text NOT NULL,
    row_id bigint NOT NULL,
    user_id uuid,
    column_name text NOT NULL,
    original text,
    replacement text,
    reason text NOT NULL,
    logged_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE migration_log; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.migration_log IS 'Every value that the upgrade changed, with its original.';


--
-- Name: COLUMN migration_log.id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.id IS 'Increases with every change.';


--
-- Name: COLUMN migration_log.table_name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.table_name IS 'The table, in schema public.';


--
-- Name: COLUMN migration_log.row_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.row_id IS 'The id of the row; for an app, the id of its first request.';


--
-- Name: COLUMN migration_log.user_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.user_id IS 'The owner of the row; deleting the user deletes this entry.';


--
-- Name: COLUMN migration_log.column_name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.column_name IS 'The column.';


--
-- Name: COLUMN migration_log.original; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.original IS 'The value before, as text; null if it was null.';


--
-- Name: COLUMN migration_log.replacement; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.replacement IS 'The value since, as text.';


--
-- Name: COLUMN migration_log.reason; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.reason IS 'Why it was changed.';


--
-- Name: COLUMN migration_log.logged_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.migration_log.logged_at IS 'When it was changed.';


--
-- Name: migration_log_id_seq; Type: SEQUENCE; Schema: private; Owner: -
--

ALTER TABLE private.migration_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME private.migration_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: quarantine; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.quarantine (
    id bigint NOT NULL,
    table_name text NOT NULL,
    row_id bigint NOT NULL,
    user_id uuid,
    reason text NOT NULL,
    content jsonb NOT NULL,
    quarantined_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE quarantine; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.quarantine IS 'Rows that the upgrade could not migrate, complete.';


--
-- Name: COLUMN quarantine.id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.quarantine.id IS 'Increases with every row.';


--
-- Name: COLUMN quarantine.table_name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.quarantine.table_name IS 'The table of the row, in schema public.';


--
-- Name: COLUMN quarantine.row_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.quarantine.row_id IS 'The id of the row.';


--
-- Name: COLUMN quarantine.user_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.quarantine.user_id IS 'The owner of the row, if that user exists; deleting the user deletes this entry.';


--
-- Name: COLUMN quarantine.reason; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.quarantine.reason IS 'Why it could not be migrated.';


--
-- Name: COLUMN quarantine.content; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.quarantine.content IS 'The row, as an object of its columns.';


--
-- Name: COLUMN quarantine.quarantined_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.quarantine.quarantined_at IS 'When it was moved.';


--
-- Name: quarantine_id_seq; Type: SEQUENCE; Schema: private; Owner: -
--

ALTER TABLE private.quarantine ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME private.quarantine_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: queues; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.queues (
    name text NOT NULL,
    paused_at timestamp with time zone,
    paused_by text,
    reason text,
    CONSTRAINT queues_paused_by_somebody_check CHECK (((paused_at IS NULL) = (paused_by IS NULL))),
    CONSTRAINT queues_reason_only_while_paused_check CHECK (((reason IS NULL) OR (paused_at IS NOT NULL)))
);


--
-- Name: TABLE queues; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.queues IS 'The queues, and whether their claims are paused. There is one queue, generations.';


--
-- Name: COLUMN queues.name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.queues.name IS 'The queue.';


--
-- Name: COLUMN queues.paused_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.queues.paused_at IS 'When its claims were paused; null: not paused.';


--
-- Name: COLUMN queues.paused_by; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.queues.paused_by IS 'The name of the person or service that paused the claims.';


--
-- Name: COLUMN queues.reason; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.queues.reason IS 'Why they are paused.';


--
-- Name: secret_refreshes; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.secret_refreshes (
    user_id uuid NOT NULL,
    provider text NOT NULL,
    holder uuid,
    expires_at timestamp with time zone,
    rejected_digest bytea,
    CONSTRAINT secret_refreshes_holder_until_an_end_check CHECK (((holder IS NULL) = (expires_at IS NULL))),
    CONSTRAINT secret_refreshes_rejected_digest_is_sha256_check CHECK ((octet_length(rejected_digest) = 32))
)
WITH (fillfactor='50');


--
-- Name: TABLE secret_refreshes; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.secret_refreshes IS 'One row per connection that was ever refreshed: who is refreshing it, and which token was rejected.';


--
-- Name: COLUMN secret_refreshes.user_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.secret_refreshes.user_id IS 'The owner of the connection.';


--
-- Name: COLUMN secret_refreshes.provider; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.secret_refreshes.provider IS 'The provider of the connection.';


--
-- Name: COLUMN secret_refreshes.holder; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.secret_refreshes.holder IS 'Identifies the attempt that is refreshing. Null: no attempt is.';


--
-- Name: COLUMN secret_refreshes.expires_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.secret_refreshes.expires_at IS 'When another attempt may begin. Null: no attempt is refreshing.';


--
-- Name: COLUMN secret_refreshes.rejected_digest; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.secret_refreshes.rejected_digest IS 'SHA-256 of the ciphertext of the token that the provider rejected; does not apply to another token. Null: none was rejected.';


--
-- Name: upgrade_changes; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.upgrade_changes (
    id bigint NOT NULL,
    table_name text NOT NULL,
    row_id bigint NOT NULL,
    change text NOT NULL,
    row_count integer NOT NULL,
    fingerprint numeric NOT NULL,
    changed_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE upgrade_changes; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.upgrade_changes IS 'Changes of old rows since they were counted.';


--
-- Name: COLUMN upgrade_changes.id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_changes.id IS 'Increases with every change.';


--
-- Name: COLUMN upgrade_changes.table_name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_changes.table_name IS 'The table, in schema public.';


--
-- Name: COLUMN upgrade_changes.row_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_changes.row_id IS 'The id of the row.';


--
-- Name: COLUMN upgrade_changes.change; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_changes.change IS 'arrived (inserted late), deleted or rewritten by a session; mended by the upgrade; repaired in quarantine.';


--
-- Name: COLUMN upgrade_changes.row_count; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_changes.row_count IS 'The change of the number of rows: 1, 0 or -1.';


--
-- Name: COLUMN upgrade_changes.fingerprint; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_changes.fingerprint IS 'The change of the sum of the fingerprints.';


--
-- Name: COLUMN upgrade_changes.changed_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_changes.changed_at IS 'When it happened.';


--
-- Name: upgrade_changes_id_seq; Type: SEQUENCE; Schema: private; Owner: -
--

ALTER TABLE private.upgrade_changes ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME private.upgrade_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: upgrade_counts; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.upgrade_counts (
    table_name text NOT NULL,
    last_id integer NOT NULL,
    fingerprint_of text NOT NULL,
    row_count bigint,
    fingerprint numeric,
    counted_at timestamp with time zone
);


--
-- Name: TABLE upgrade_counts; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.upgrade_counts IS 'The rows at the start of the upgrade.';


--
-- Name: COLUMN upgrade_counts.table_name; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_counts.table_name IS 'The table, in schema public.';


--
-- Name: COLUMN upgrade_counts.last_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_counts.last_id IS 'The cut-off: rows with a higher id were inserted later.';


--
-- Name: COLUMN upgrade_counts.fingerprint_of; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_counts.fingerprint_of IS 'SQL expression over a row r: a bigint hash of the values that the upgrade must not change.';


--
-- Name: COLUMN upgrade_counts.row_count; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_counts.row_count IS 'The number of rows up to the cut-off; null until they are counted.';


--
-- Name: COLUMN upgrade_counts.fingerprint; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_counts.fingerprint IS 'The sum of their fingerprints.';


--
-- Name: COLUMN upgrade_counts.counted_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_counts.counted_at IS 'When they were counted.';


--
-- Name: upgrade_owners; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.upgrade_owners (
    app_id uuid NOT NULL,
    user_id uuid
);


--
-- Name: TABLE upgrade_owners; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.upgrade_owners IS 'App ids that several users claim, and the owner that the operator chose.';


--
-- Name: COLUMN upgrade_owners.app_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_owners.app_id IS 'The id.';


--
-- Name: COLUMN upgrade_owners.user_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_owners.user_id IS 'The owner; null until the operator has chosen.';


--
-- Name: upgrade_samples; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.upgrade_samples (
    row_id integer NOT NULL,
    digest text NOT NULL
);


--
-- Name: TABLE upgrade_samples; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.upgrade_samples IS 'Digests of the files of some old snapshots; reading all of them would take hours.';


--
-- Name: COLUMN upgrade_samples.row_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_samples.row_id IS 'The id of the snapshot.';


--
-- Name: COLUMN upgrade_samples.digest; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_samples.digest IS 'MD5 of its files_snapshot.';


--
-- Name: upgrade_users; Type: TABLE; Schema: private; Owner: -
--

CREATE TABLE private.upgrade_users (
    user_id uuid NOT NULL,
    named_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE upgrade_users; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON TABLE private.upgrade_users IS 'Users whose apps are named; for them the compatibility trigger creates further apps.';


--
-- Name: COLUMN upgrade_users.user_id; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_users.user_id IS 'The user.';


--
-- Name: COLUMN upgrade_users.named_at; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON COLUMN private.upgrade_users.named_at IS 'When they were named.';


--
-- Name: apps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.apps (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    user_id uuid NOT NULL,
    app_name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    supabase_project_ref text,
    CONSTRAINT apps_app_name_at_most_120_characters_check CHECK ((char_length(app_name) <= 120)),
    CONSTRAINT apps_app_name_not_blank_check CHECK (private.has_visible_character(app_name))
);

ALTER TABLE ONLY public.apps FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE apps; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.apps IS 'The apps of users: their identity over all generations.';


--
-- Name: COLUMN apps.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.id IS 'Identifies the app, also in the name of its GitHub repository.';


--
-- Name: COLUMN apps.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.user_id IS 'The Supabase Auth user who owns the app; deleting the user deletes it.';


--
-- Name: COLUMN apps.app_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.app_name IS 'Display name, unique among the user''s apps.';


--
-- Name: COLUMN apps.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.created_at IS 'When it was created.';


--
-- Name: COLUMN apps.supabase_project_ref; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.apps.supabase_project_ref IS 'The Supabase project with the app''s database; null until one is allocated. Written by private.allocate_supabase_project only.';


--
-- Name: cleanup_outbox_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.cleanup_outbox ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.cleanup_outbox_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: deployment_config_history_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.deployment_config_history ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.deployment_config_history_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: generation_costs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.generation_costs (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    app_id uuid,
    generation_request_id integer,
    iteration_number integer,
    kind public.cost_kind NOT NULL,
    model text,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cached_tokens bigint DEFAULT 0 NOT NULL,
    compute_ms bigint DEFAULT 0 NOT NULL,
    cost_micros bigint DEFAULT 0 NOT NULL,
    corrects_id bigint,
    idempotency_key text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    month timestamp with time zone GENERATED ALWAYS AS ((date_trunc('month'::text, (created_at AT TIME ZONE 'UTC'::text)) AT TIME ZONE 'UTC'::text)) STORED NOT NULL,
    CONSTRAINT generation_costs_corrects_another_check CHECK ((corrects_id <> id)),
    CONSTRAINT generation_costs_idempotency_key_form_check CHECK ((((idempotency_key COLLATE "C") ~ '^[!-~]+$'::text) AND (char_length(idempotency_key) <= 200))),
    CONSTRAINT generation_costs_iteration_number_not_negative_check CHECK ((iteration_number >= 0)),
    CONSTRAINT generation_costs_model_printable_check CHECK ((((model COLLATE "C") ~ '^[!-~]+$'::text) AND (char_length(model) <= 200))),
    CONSTRAINT generation_costs_negative_only_in_corrections_check CHECK (((corrects_id IS NOT NULL) OR (LEAST(input_tokens, output_tokens, cached_tokens, compute_ms, cost_micros) >= 0))),
    CONSTRAINT generation_costs_numbers_within_limits_check CHECK (((LEAST(input_tokens, output_tokens, cached_tokens, compute_ms, cost_micros) >= '-1000000000000'::bigint) AND (GREATEST(input_tokens, output_tokens, cached_tokens, compute_ms, cost_micros) <= '1000000000000'::bigint)))
);

ALTER TABLE ONLY public.generation_costs FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE generation_costs; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.generation_costs IS 'The ledger of costs. Append-only: a correction is a row of its own.';


--
-- Name: COLUMN generation_costs.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.id IS 'Identifies the row; increases, but not strictly in the order of time.';


--
-- Name: COLUMN generation_costs.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.user_id IS 'The user who caused the cost; deleting the user deletes the row.';


--
-- Name: COLUMN generation_costs.app_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.app_id IS 'The app, copied from the generation; kept when the app is deleted. Null: for no app.';


--
-- Name: COLUMN generation_costs.generation_request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.generation_request_id IS 'The generation; null if the cost is for none, or the generation has been deleted.';


--
-- Name: COLUMN generation_costs.iteration_number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.iteration_number IS 'The iteration of the generation, from 0 to its max_iterations; null: the whole generation.';


--
-- Name: COLUMN generation_costs.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.kind IS 'What the money was spent on.';


--
-- Name: COLUMN generation_costs.model; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.model IS 'The name of the model that used the tokens.';


--
-- Name: COLUMN generation_costs.input_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.input_tokens IS 'Input tokens, without cached_tokens.';


--
-- Name: COLUMN generation_costs.output_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.output_tokens IS 'Output tokens.';


--
-- Name: COLUMN generation_costs.cached_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.cached_tokens IS 'Input tokens from the model''s cache.';


--
-- Name: COLUMN generation_costs.compute_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.compute_ms IS 'Compute time in milliseconds.';


--
-- Name: COLUMN generation_costs.cost_micros; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.cost_micros IS 'The cost in micro-dollars: 1000000 is one US dollar. Negative in a correction only.';


--
-- Name: COLUMN generation_costs.corrects_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.corrects_id IS 'The row that this one corrects: the numbers of both are added. App, generation, iteration, kind and model are those of that row.';


--
-- Name: COLUMN generation_costs.idempotency_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.idempotency_key IS 'Identifies the event that caused the cost, unique per user: a repeated insert is refused.';


--
-- Name: COLUMN generation_costs.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.created_at IS 'When the cost was incurred; decides the month.';


--
-- Name: COLUMN generation_costs.month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs.month IS 'The start of the month of created_at, in UTC; generated.';


--
-- Name: generation_costs_by_app; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.generation_costs_by_app WITH (security_invoker='true') AS
 SELECT user_id,
    app_id,
    count(*) AS entries,
    (sum(((input_tokens + output_tokens) + cached_tokens)))::bigint AS tokens,
    (sum(input_tokens))::bigint AS input_tokens,
    (sum(output_tokens))::bigint AS output_tokens,
    (sum(cached_tokens))::bigint AS cached_tokens,
    (sum(compute_ms))::bigint AS compute_ms,
    (sum(cost_micros))::bigint AS cost_micros
   FROM public.generation_costs
  GROUP BY user_id, app_id;


--
-- Name: VIEW generation_costs_by_app; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.generation_costs_by_app IS 'The costs of each app, over all of its generations.';


--
-- Name: COLUMN generation_costs_by_app.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.user_id IS 'The user.';


--
-- Name: COLUMN generation_costs_by_app.app_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.app_id IS 'The app, also a deleted one; null: costs for no app.';


--
-- Name: COLUMN generation_costs_by_app.entries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.entries IS 'The number of rows in the ledger, with corrections.';


--
-- Name: COLUMN generation_costs_by_app.tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.tokens IS 'Input, output and cached tokens.';


--
-- Name: COLUMN generation_costs_by_app.input_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.input_tokens IS 'Input tokens, without cached tokens.';


--
-- Name: COLUMN generation_costs_by_app.output_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.output_tokens IS 'Output tokens.';


--
-- Name: COLUMN generation_costs_by_app.cached_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.cached_tokens IS 'Input tokens from the model''s cache.';


--
-- Name: COLUMN generation_costs_by_app.compute_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.compute_ms IS 'Compute time in milliseconds.';


--
-- Name: COLUMN generation_costs_by_app.cost_micros; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_app.cost_micros IS 'The cost in micro-dollars.';


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
    available_at timestamp with time zone,
    failure_count smallint DEFAULT 0 NOT NULL,
    CONSTRAINT generation_requests_app_name_not_blank_check CHECK (private.has_visible_character(app_name)),
    CONSTRAINT generation_requests_attempt_not_negative_check CHECK ((attempt >= 0)),
    CONSTRAINT generation_requests_completed_at_not_before_created_at_check CHECK ((completed_at >= created_at)),
    CONSTRAINT generation_requests_completed_at_set_when_finished_check CHECK (((completed_at IS NOT NULL) = (status = ANY (ARRAY['completed'::public.generation_status, 'failed'::public.generation_status, 'cancelled'::public.generation_status])))),
    CONSTRAINT generation_requests_current_iteration_within_limit_check CHECK (((current_iteration >= 0) AND (current_iteration <= max_iterations))),
    CONSTRAINT generation_requests_deployment_url_is_https_check CHECK (private.is_https_url(deployment_url)),
    CONSTRAINT generation_requests_failure_count_not_negative_check CHECK ((failure_count >= 0)),
    CONSTRAINT generation_requests_github_commit_is_sha_check CHECK ((((github_commit COLLATE "C") ~ '^[0-9a-f]+$'::text) AND (char_length(github_commit) = ANY (ARRAY[40, 64])))),
    CONSTRAINT generation_requests_github_url_is_https_check CHECK (private.is_https_url(github_url)),
    CONSTRAINT generation_requests_idempotency_key_form_check CHECK ((((idempotency_key COLLATE "C") ~ '^[!-~]+$'::text) AND (char_length(idempotency_key) <= 200))),
    CONSTRAINT generation_requests_max_iterations_positive_check CHECK ((max_iterations > 0)),
    CONSTRAINT generation_requests_retry_count_not_negative_check CHECK ((retry_count >= 0))
);

ALTER TABLE ONLY public.generation_requests FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE generation_requests; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.generation_requests IS 'The generations of apps, one row each: versions, history and, while queued, the job queue.';


--
-- Name: COLUMN generation_requests.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.id IS 'Increases with every request; gaps are normal.';


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

COMMENT ON COLUMN public.generation_requests.app_name IS 'Display name of the app when the generation was enqueued; not changed by a later rename.';


--
-- Name: COLUMN generation_requests.prompt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.prompt IS 'The prompt of the user.';


--
-- Name: COLUMN generation_requests.initial_prompt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.initial_prompt IS 'The first prompt that started the generation.';


--
-- Name: COLUMN generation_requests.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.status IS 'The current status.';


--
-- Name: COLUMN generation_requests.generation_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.generation_type IS 'A new session, or a resumed one.';


--
-- Name: COLUMN generation_requests.mode; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.mode IS 'How much it does before it asks the user.';


--
-- Name: COLUMN generation_requests.github_url; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.github_url IS 'URL of the app''s GitHub repository; null until it exists.';


--
-- Name: COLUMN generation_requests.deployment_url; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.deployment_url IS 'URL of the app on Fly.io; null until it is deployed.';


--
-- Name: COLUMN generation_requests.error_message; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.error_message IS 'Why it failed; kept during a retry.';


--
-- Name: COLUMN generation_requests.max_iterations; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.max_iterations IS 'The maximum number of iterations.';


--
-- Name: COLUMN generation_requests.current_iteration; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.current_iteration IS 'The number of iterations so far.';


--
-- Name: COLUMN generation_requests.last_session_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.last_session_id IS 'The session from which its context can be resumed.';


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

COMMENT ON COLUMN public.generation_requests.completed_at IS 'When it completed, failed or was cancelled; null in every other status, so a retry sets it to null.';


--
-- Name: COLUMN generation_requests.github_commit; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.github_commit IS 'SHA of the commit with its result; null until it exists.';


--
-- Name: COLUMN generation_requests.attempt; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.attempt IS 'Increases with every claim. The writes of a worker name its attempt, and match no row after another claim.';


--
-- Name: COLUMN generation_requests.retry_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.retry_count IS 'How often its user has retried it after a failure. Not writable by users.';


--
-- Name: COLUMN generation_requests.priority; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.priority IS 'Higher is claimed first. Written by services only.';


--
-- Name: COLUMN generation_requests.queue_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.queue_at IS 'Its position in the queue: among equal priorities the earliest is claimed first. An order, not a start time.';


--
-- Name: COLUMN generation_requests.idempotency_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.idempotency_key IS 'Chosen by the caller; the same key enqueues once per user. Null: none.';


--
-- Name: COLUMN generation_requests.available_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.available_at IS 'While queued after a failed attempt: not claimed before this time. Null: available.';


--
-- Name: COLUMN generation_requests.failure_count; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_requests.failure_count IS 'How many attempts have failed or lost their worker since it was last enqueued, retried or resumed.';


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

COMMENT ON TABLE public.iteration_snapshots IS 'Checkpoints of a generation: all files after an iteration.';


--
-- Name: COLUMN iteration_snapshots.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.id IS 'Increases with every snapshot; gaps are normal.';


--
-- Name: COLUMN iteration_snapshots.generation_request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.generation_request_id IS 'The generation of the snapshot.';


--
-- Name: COLUMN iteration_snapshots.iteration_number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.iteration_number IS 'The iteration after which it was taken; 0: before the first.';


--
-- Name: COLUMN iteration_snapshots.snapshot_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.snapshot_type IS 'What caused it.';


--
-- Name: COLUMN iteration_snapshots.files_snapshot; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.iteration_snapshots.files_snapshot IS 'All files as a JSON object of path to content. Text, because old rows have values that jsonb rejects.';


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
-- Name: generation_costs_by_iteration; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.generation_costs_by_iteration WITH (security_invoker='true') AS
 SELECT generation_costs.user_id,
    generation_costs.app_id,
    generation_costs.generation_request_id,
    generation_costs.iteration_number,
    'ledger'::text AS source,
    count(*) AS entries,
    (sum(((generation_costs.input_tokens + generation_costs.output_tokens) + generation_costs.cached_tokens)))::bigint AS tokens,
    (sum(generation_costs.input_tokens))::bigint AS input_tokens,
    (sum(generation_costs.output_tokens))::bigint AS output_tokens,
    (sum(generation_costs.cached_tokens))::bigint AS cached_tokens,
    (sum(generation_costs.compute_ms))::bigint AS compute_ms,
    (sum(generation_costs.cost_micros))::bigint AS cost_micros
   FROM public.generation_costs
  GROUP BY generation_costs.user_id, generation_costs.app_id, generation_costs.generation_request_id, generation_costs.iteration_number
UNION ALL
 SELECT s.user_id,
    r.app_id,
    s.generation_request_id,
    s.iteration_number,
    'snapshots'::text AS source,
    0 AS entries,
    max(usage.tokens) AS tokens,
    NULL::bigint AS input_tokens,
    NULL::bigint AS output_tokens,
    NULL::bigint AS cached_tokens,
    max(usage.compute_ms) AS compute_ms,
    0 AS cost_micros
   FROM ((public.iteration_snapshots s
     JOIN public.generation_requests r ON (((r.user_id = s.user_id) AND (r.id = s.generation_request_id))))
     CROSS JOIN LATERAL ( SELECT (jsonb_path_query_first(s.metadata, 'strict $."tokens"?((@ >= 0 && @ <= 1000000000000) && @ == @.floor())'::jsonpath, silent => true))::bigint AS jsonb_path_query_first,
            (COALESCE(jsonb_path_query_first(s.metadata, 'strict $."duration_ms"?((@ >= 0 && @ <= 1000000000000) && @ == @.floor())'::jsonpath, silent => true), jsonb_path_query_first(s.metadata, 'strict $."duration"?((@ >= 0 && @ <= 1000000000000) && @ == @.floor())'::jsonpath, silent => true)))::bigint AS "coalesce") usage(tokens, compute_ms))
  WHERE (((usage.tokens IS NOT NULL) OR (usage.compute_ms IS NOT NULL)) AND (NOT (EXISTS ( SELECT
           FROM public.generation_costs c
          WHERE ((c.user_id = s.user_id) AND (c.generation_request_id = s.generation_request_id))))))
  GROUP BY s.user_id, r.app_id, s.generation_request_id, s.iteration_number;


--
-- Name: VIEW generation_costs_by_iteration; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.generation_costs_by_iteration IS 'The costs of each iteration; for generations from before the ledger, the usage in their snapshots.';


--
-- Name: COLUMN generation_costs_by_iteration.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.user_id IS 'The user.';


--
-- Name: COLUMN generation_costs_by_iteration.app_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.app_id IS 'The app, also a deleted one; null: costs for no app.';


--
-- Name: COLUMN generation_costs_by_iteration.generation_request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.generation_request_id IS 'The generation; null: costs for none, and of deleted generations.';


--
-- Name: COLUMN generation_costs_by_iteration.iteration_number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.iteration_number IS 'The iteration; null: costs for the whole generation.';


--
-- Name: COLUMN generation_costs_by_iteration.source; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.source IS '''ledger'', or ''snapshots'' if the ledger has no row of the generation and the metadata of its snapshots is used.';


--
-- Name: COLUMN generation_costs_by_iteration.entries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.entries IS 'The number of rows in the ledger, with corrections; 0 if the source is snapshots.';


--
-- Name: COLUMN generation_costs_by_iteration.tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.tokens IS 'Input, output and cached tokens; null if no snapshot has them.';


--
-- Name: COLUMN generation_costs_by_iteration.input_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.input_tokens IS 'Input tokens, without cached tokens; null if only the sum is known.';


--
-- Name: COLUMN generation_costs_by_iteration.output_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.output_tokens IS 'Output tokens; null if only the sum is known.';


--
-- Name: COLUMN generation_costs_by_iteration.cached_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.cached_tokens IS 'Input tokens from the model''s cache; null if only the sum is known.';


--
-- Name: COLUMN generation_costs_by_iteration.compute_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.compute_ms IS 'Compute time in milliseconds; null if no snapshot has it.';


--
-- Name: COLUMN generation_costs_by_iteration.cost_micros; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_iteration.cost_micros IS 'The cost in micro-dollars.';


--
-- Name: generation_costs_by_generation; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.generation_costs_by_generation WITH (security_invoker='true') AS
 SELECT user_id,
    app_id,
    generation_request_id,
    source,
    (sum(entries))::bigint AS entries,
    (sum(tokens))::bigint AS tokens,
    (sum(input_tokens))::bigint AS input_tokens,
    (sum(output_tokens))::bigint AS output_tokens,
    (sum(cached_tokens))::bigint AS cached_tokens,
    (sum(compute_ms))::bigint AS compute_ms,
    (sum(cost_micros))::bigint AS cost_micros
   FROM public.generation_costs_by_iteration
  GROUP BY user_id, app_id, generation_request_id, source;


--
-- Name: VIEW generation_costs_by_generation; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.generation_costs_by_generation IS 'The costs of each generation; for those from before the ledger, the usage in their snapshots.';


--
-- Name: COLUMN generation_costs_by_generation.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.user_id IS 'The user.';


--
-- Name: COLUMN generation_costs_by_generation.app_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.app_id IS 'The app, also a deleted one; null: costs for no app.';


--
-- Name: COLUMN generation_costs_by_generation.generation_request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.generation_request_id IS 'The generation; null: costs for none, and of deleted generations.';


--
-- Name: COLUMN generation_costs_by_generation.source; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.source IS '''ledger'', or ''snapshots'' if the ledger has no row of the generation and the metadata of its snapshots is used.';


--
-- Name: COLUMN generation_costs_by_generation.entries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.entries IS 'The number of rows in the ledger, with corrections; 0 if the source is snapshots.';


--
-- Name: COLUMN generation_costs_by_generation.tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.tokens IS 'Input, output and cached tokens; null if no snapshot has them.';


--
-- Name: COLUMN generation_costs_by_generation.input_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.input_tokens IS 'Input tokens, without cached tokens; null if only the sum is known.';


--
-- Name: COLUMN generation_costs_by_generation.output_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.output_tokens IS 'Output tokens; null if only the sum is known.';


--
-- Name: COLUMN generation_costs_by_generation.cached_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.cached_tokens IS 'Input tokens from the model''s cache; null if only the sum is known.';


--
-- Name: COLUMN generation_costs_by_generation.compute_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.compute_ms IS 'Compute time in milliseconds; null if no snapshot has it.';


--
-- Name: COLUMN generation_costs_by_generation.cost_micros; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_generation.cost_micros IS 'The cost in micro-dollars.';


--
-- Name: generation_costs_by_month; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.generation_costs_by_month WITH (security_invoker='true') AS
 SELECT user_id,
    month,
    count(*) AS entries,
    (sum(((input_tokens + output_tokens) + cached_tokens)))::bigint AS tokens,
    (sum(input_tokens))::bigint AS input_tokens,
    (sum(output_tokens))::bigint AS output_tokens,
    (sum(cached_tokens))::bigint AS cached_tokens,
    (sum(compute_ms))::bigint AS compute_ms,
    (sum(cost_micros))::bigint AS cost_micros
   FROM public.generation_costs
  GROUP BY user_id, month;


--
-- Name: VIEW generation_costs_by_month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.generation_costs_by_month IS 'The costs of each user per month, in UTC.';


--
-- Name: COLUMN generation_costs_by_month.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.user_id IS 'The user.';


--
-- Name: COLUMN generation_costs_by_month.month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.month IS 'The start of the month, in UTC.';


--
-- Name: COLUMN generation_costs_by_month.entries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.entries IS 'The number of rows in the ledger, with corrections.';


--
-- Name: COLUMN generation_costs_by_month.tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.tokens IS 'Input, output and cached tokens.';


--
-- Name: COLUMN generation_costs_by_month.input_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.input_tokens IS 'Input tokens, without cached tokens.';


--
-- Name: COLUMN generation_costs_by_month.output_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.output_tokens IS 'Output tokens.';


--
-- Name: COLUMN generation_costs_by_month.cached_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.cached_tokens IS 'Input tokens from the model''s cache.';


--
-- Name: COLUMN generation_costs_by_month.compute_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.compute_ms IS 'Compute time in milliseconds.';


--
-- Name: COLUMN generation_costs_by_month.cost_micros; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_month.cost_micros IS 'The cost in micro-dollars.';


--
-- Name: generation_costs_by_user; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.generation_costs_by_user WITH (security_invoker='true') AS
 SELECT user_id,
    count(*) AS entries,
    (sum(((input_tokens + output_tokens) + cached_tokens)))::bigint AS tokens,
    (sum(input_tokens))::bigint AS input_tokens,
    (sum(output_tokens))::bigint AS output_tokens,
    (sum(cached_tokens))::bigint AS cached_tokens,
    (sum(compute_ms))::bigint AS compute_ms,
    (sum(cost_micros))::bigint AS cost_micros
   FROM public.generation_costs
  GROUP BY user_id;


--
-- Name: VIEW generation_costs_by_user; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.generation_costs_by_user IS 'The costs of each user.';


--
-- Name: COLUMN generation_costs_by_user.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_user.user_id IS 'The user.';


--
-- Name: COLUMN generation_costs_by_user.entries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_user.entries IS 'The number of rows in the ledger, with corrections.';


--
-- Name: COLUMN generation_costs_by_user.tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_user.tokens IS 'Input, output and cached tokens.';


--
-- Name: COLUMN generation_costs_by_user.input_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_user.input_tokens IS 'Input tokens, without cached tokens.';


--
-- Name: COLUMN generation_costs_by_user.output_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_user.output_tokens IS 'Output tokens.';


--
-- Name: COLUMN generation_costs_by_user.cached_tokens; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_user.cached_tokens IS 'Input tokens from the model''s cache.';


--
-- Name: COLUMN generation_costs_by_user.compute_ms; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_user.compute_ms IS 'Compute time in milliseconds.';


--
-- Name: COLUMN generation_costs_by_user.cost_micros; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_costs_by_user.cost_micros IS 'The cost in micro-dollars.';


--
-- Name: generation_costs_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.generation_costs ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.generation_costs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: generation_events; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.generation_events (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    generation_request_id integer NOT NULL,
    from_status public.generation_status,
    to_status public.generation_status NOT NULL,
    iteration_number integer NOT NULL,
    reason text,
    actor public.event_actor NOT NULL,
    acting_user_id uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT generation_events_iteration_number_not_negative_check CHECK ((iteration_number >= 0)),
    CONSTRAINT generation_events_reason_at_most_2000_characters_check CHECK ((char_length(reason) <= 2000)),
    CONSTRAINT generation_events_status_changes_check CHECK ((from_status IS DISTINCT FROM to_status))
);

ALTER TABLE ONLY public.generation_events FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE generation_events; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.generation_events IS 'The timeline of generations: every change of status. Inserted by trigger only.';


--
-- Name: COLUMN generation_events.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.id IS 'Identifies the event; increases with time within a generation.';


--
-- Name: COLUMN generation_events.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.user_id IS 'The owner of the generation.';


--
-- Name: COLUMN generation_events.generation_request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.generation_request_id IS 'The generation; deleting it deletes its timeline.';


--
-- Name: COLUMN generation_events.from_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.from_status IS 'The status before the change; null for the first event of a generation.';


--
-- Name: COLUMN generation_events.to_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.to_status IS 'The status after the change.';


--
-- Name: COLUMN generation_events.iteration_number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.iteration_number IS 'The current iteration of the generation.';


--
-- Name: COLUMN generation_events.reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.reason IS 'The reason that the writer set in leo.reason, otherwise the error message of a failed generation. Cut to 2000 characters.';


--
-- Name: COLUMN generation_events.actor; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.actor IS 'What kind of role made the change.';


--
-- Name: COLUMN generation_events.acting_user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.acting_user_id IS 'The user who made the change, directly or through a service; null if none did, or the account is deleted.';


--
-- Name: COLUMN generation_events.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.generation_events.created_at IS 'The start of the transaction, as in completed_at.';


--
-- Name: generation_events_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.generation_events ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.generation_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


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
-- Name: schema_snapshots; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_snapshots (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    generation_request_id integer NOT NULL,
    iteration_number integer NOT NULL,
    tables jsonb NOT NULL,
    ddl text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT schema_snapshots_columns_have_name_and_type_check CHECK ((NOT jsonb_path_exists(tables, 'strict $.*."columns"[*]?(((@."name".type() == "string" && @."type".type() == "string") is unknown || @."name".type() != "string") || @."type".type() != "string")'::jsonpath, silent => true))),
    CONSTRAINT schema_snapshots_ddl_at_most_1_mib_check CHECK ((octet_length(ddl) <= 1048576)),
    CONSTRAINT schema_snapshots_iteration_number_not_negative_check CHECK ((iteration_number >= 0)),
    CONSTRAINT schema_snapshots_tables_at_most_1_mib_check CHECK ((octet_length((tables)::text) <= 1048576)),
    CONSTRAINT schema_snapshots_tables_have_columns_check CHECK (((jsonb_typeof(tables) = 'object'::text) AND (NOT jsonb_path_exists(tables, 'strict $.*?((@."columns".type() == "array") is unknown || @."columns".type() != "array")'::jsonpath, silent => true))))
);

ALTER TABLE ONLY public.schema_snapshots FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE schema_snapshots; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.schema_snapshots IS 'The tables that a generation created in the app''s own database, per iteration.';


--
-- Name: COLUMN schema_snapshots.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_snapshots.id IS 'Identifies the snapshot, in diff_schema_snapshots for example.';


--
-- Name: COLUMN schema_snapshots.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_snapshots.user_id IS 'The owner of the generation.';


--
-- Name: COLUMN schema_snapshots.generation_request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_snapshots.generation_request_id IS 'The generation.';


--
-- Name: COLUMN schema_snapshots.iteration_number; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_snapshots.iteration_number IS 'The iteration after which it was taken; 0: before the first.';


--
-- Name: COLUMN schema_snapshots.tables; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_snapshots.tables IS 'Name of table to {"columns": [{"name", "type", "nullable", "default"}, …]}; a table outside of schema public as schema.table. Unchecked: nullable, default and further attributes.';


--
-- Name: COLUMN schema_snapshots.ddl; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_snapshots.ddl IS 'The SQL that creates these tables; empty if there are none.';


--
-- Name: COLUMN schema_snapshots.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.schema_snapshots.created_at IS 'When it was taken.';


--
-- Name: schema_snapshots_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.schema_snapshots ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.schema_snapshots_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: supabase_project_places; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.supabase_project_places (
    app_id uuid NOT NULL,
    supabase_project_ref text NOT NULL,
    status public.supabase_place_status DEFAULT 'allocated'::public.supabase_place_status NOT NULL,
    allocated_at timestamp with time zone DEFAULT now() NOT NULL,
    releasing_since timestamp with time zone,
    CONSTRAINT supabase_project_places_releasing_since_says_status_check CHECK (((releasing_since IS NOT NULL) = (status = 'releasing'::public.supabase_place_status)))
);

ALTER TABLE ONLY public.supabase_project_places FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE supabase_project_places; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.supabase_project_places IS 'Places of apps in the projects of the pool, until they are wiped.';


--
-- Name: COLUMN supabase_project_places.app_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_project_places.app_id IS 'The app that has the place, or had it until it was deleted.';


--
-- Name: COLUMN supabase_project_places.supabase_project_ref; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_project_places.supabase_project_ref IS 'The project.';


--
-- Name: COLUMN supabase_project_places.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_project_places.status IS 'Whether the app exists.';


--
-- Name: COLUMN supabase_project_places.allocated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_project_places.allocated_at IS 'When the place was allocated.';


--
-- Name: COLUMN supabase_project_places.releasing_since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_project_places.releasing_since IS 'When the app was deleted; null while it exists.';


--
-- Name: supabase_projects; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.supabase_projects (
    ref text NOT NULL,
    pool text NOT NULL,
    region text NOT NULL,
    capacity integer NOT NULL,
    used integer DEFAULT 0 NOT NULL,
    status public.supabase_project_status DEFAULT 'active'::public.supabase_project_status NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT supabase_projects_capacity_positive_check CHECK ((capacity > 0)),
    CONSTRAINT supabase_projects_pool_is_slug_check CHECK ((((pool COLLATE "C") ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$'::text) AND (char_length(pool) <= 64))),
    CONSTRAINT supabase_projects_ref_form_check CHECK ((((ref COLLATE "C") ~ '^[a-z]+$'::text) AND (char_length(ref) = 20))),
    CONSTRAINT supabase_projects_region_is_slug_check CHECK ((((region COLLATE "C") ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$'::text) AND (char_length(region) <= 64))),
    CONSTRAINT supabase_projects_retired_is_empty_check CHECK (((status <> 'retired'::public.supabase_project_status) OR (used = 0))),
    CONSTRAINT supabase_projects_used_not_negative_check CHECK ((used >= 0)),
    CONSTRAINT supabase_projects_used_within_capacity_check CHECK ((used <= capacity))
);

ALTER TABLE ONLY public.supabase_projects FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE supabase_projects; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.supabase_projects IS 'Supabase projects in which apps get their databases. Services only.';


--
-- Name: COLUMN supabase_projects.ref; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_projects.ref IS 'The ref of the project in Supabase: twenty lower-case letters.';


--
-- Name: COLUMN supabase_projects.pool; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_projects.pool IS 'The pool that it belongs to, as a slug; its meaning is defined by the deployer.';


--
-- Name: COLUMN supabase_projects.region; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_projects.region IS 'Its region, as a slug, such as eu-central-1.';


--
-- Name: COLUMN supabase_projects.capacity; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_projects.capacity IS 'The maximum number of apps.';


--
-- Name: COLUMN supabase_projects.used; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_projects.used IS 'The number of places that are allocated or not wiped yet; kept by the functions that allocate and release them.';


--
-- Name: COLUMN supabase_projects.status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_projects.status IS 'Whether it gets new apps.';


--
-- Name: COLUMN supabase_projects.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_projects.created_at IS 'When it was added to the pool.';


--
-- Name: COLUMN supabase_projects.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.supabase_projects.updated_at IS 'When the row last changed; set by trigger.';


--
-- Name: user_activity_log; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_activity_log (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    action text NOT NULL,
    object_type text NOT NULL,
    object_id text NOT NULL,
    ip inet,
    user_agent text,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_activity_log_action_known_of_object_type_check CHECK (
CASE object_type
    WHEN 'app'::text THEN (action = ANY (ARRAY['create'::text, 'rename'::text, 'delete'::text]))
    WHEN 'generation'::text THEN (action = ANY (ARRAY['enqueue'::text, 'pause'::text, 'resume'::text, 'cancel'::text, 'retry'::text]))
    WHEN 'secret'::text THEN (action = ANY (ARRAY['connect'::text, 'replace'::text, 'remove'::text]))
    WHEN 'profile'::text THEN (action = ANY (ARRAY['create'::text, 'change'::text]))
    ELSE false
END),
    CONSTRAINT user_activity_log_detail_at_most_4_kib_check CHECK ((octet_length((detail)::text) <= 4096)),
    CONSTRAINT user_activity_log_detail_is_object_check CHECK ((jsonb_typeof(detail) = 'object'::text)),
    CONSTRAINT user_activity_log_object_id_form_check CHECK ((((object_id COLLATE "C") ~ '^[!-~]+$'::text) AND (char_length(object_id) <= 128))),
    CONSTRAINT user_activity_log_user_agent_at_most_512_characters_check CHECK ((char_length(user_agent) <= 512))
);

ALTER TABLE ONLY public.user_activity_log FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE user_activity_log; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.user_activity_log IS 'What users did, directly or through a service. Append-only.';


--
-- Name: COLUMN user_activity_log.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.id IS 'Identifies the entry, and orders entries of the same time.';


--
-- Name: COLUMN user_activity_log.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.user_id IS 'The user who acted, who is the owner of the object; deleting the user deletes the entry.';


--
-- Name: COLUMN user_activity_log.action; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.action IS 'What was done, depending on the type of the object: create, rename, enqueue, cancel, connect and so on.';


--
-- Name: COLUMN user_activity_log.object_type; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.object_type IS 'The type of the object: app, generation, secret or profile.';


--
-- Name: COLUMN user_activity_log.object_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.object_id IS 'The id of the object, as text. The object may be deleted.';


--
-- Name: COLUMN user_activity_log.ip; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.ip IS 'The address in the request''s X-Forwarded-For header, unverified. Null: none.';


--
-- Name: COLUMN user_activity_log.user_agent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.user_agent IS 'The request''s User-Agent header, cut to 512 characters. Null: none.';


--
-- Name: COLUMN user_activity_log.detail; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.detail IS 'The names of what changed. Without secrets, prompts and values of preferences.';


--
-- Name: COLUMN user_activity_log.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_activity_log.created_at IS 'When it was done.';


--
-- Name: user_activity_log_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.user_activity_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.user_activity_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: user_profiles; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.user_profiles (
    user_id uuid NOT NULL,
    display_name text,
    avatar_url text,
    preferences jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT user_profiles_avatar_url_at_most_2048_characters_check CHECK ((char_length(avatar_url) <= 2048)),
    CONSTRAINT user_profiles_avatar_url_is_https_check CHECK (private.is_https_url(avatar_url)),
    CONSTRAINT user_profiles_display_name_at_most_120_characters_check CHECK ((char_length(display_name) <= 120)),
    CONSTRAINT user_profiles_display_name_not_blank_check CHECK (private.has_visible_character(display_name)),
    CONSTRAINT user_profiles_preferences_at_most_16_kib_check CHECK ((octet_length((preferences)::text) <= 16384)),
    CONSTRAINT user_profiles_preferences_at_most_32_levels_check CHECK ((NOT (preferences @? '$.**{33}'::jsonpath))),
    CONSTRAINT user_profiles_preferences_is_object_check CHECK ((jsonb_typeof(preferences) = 'object'::text))
);

ALTER TABLE ONLY public.user_profiles FORCE ROW LEVEL SECURITY;


--
-- Name: TABLE user_profiles; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.user_profiles IS 'Display name, picture and preferences of users. A user without a row has the defaults.';


--
-- Name: COLUMN user_profiles.user_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_profiles.user_id IS 'The Supabase Auth user; deleting the user deletes it.';


--
-- Name: COLUMN user_profiles.display_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_profiles.display_name IS 'The display name; null if not set.';


--
-- Name: COLUMN user_profiles.avatar_url; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_profiles.avatar_url IS 'URL of the picture; null if there is none.';


--
-- Name: COLUMN user_profiles.preferences; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_profiles.preferences IS 'The settings of the user, a JSON object. An update is merged into it (RFC 7396): null removes a member.';


--
-- Name: COLUMN user_profiles.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_profiles.created_at IS 'When it was created.';


--
-- Name: COLUMN user_profiles.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_profiles.updated_at IS 'When the row last changed; set by trigger.';


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

COMMENT ON TABLE public.user_secrets IS 'OAuth tokens of users, one set per provider, encrypted by KMS.';


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

COMMENT ON COLUMN public.user_secrets.provider IS 'The provider of the token, as a slug, such as supabase, github or fly.';


--
-- Name: COLUMN user_secrets.encrypted_token; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.encrypted_token IS 'The OAuth token set, encrypted by KMS (in development, by the local key). Not granted to users.';


--
-- Name: COLUMN user_secrets.expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.expires_at IS 'When the access token expires; null if it does not expire.';


--
-- Name: COLUMN user_secrets.created_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.created_at IS 'When the user connected the provider.';


--
-- Name: COLUMN user_secrets.updated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.user_secrets.updated_at IS 'When the row last changed; set by trigger.';


--
-- Name: generation_requests id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_requests ALTER COLUMN id SET DEFAULT nextval('public.generation_requests_id_seq'::regclass);


--
-- Name: iteration_snapshots id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.iteration_snapshots ALTER COLUMN id SET DEFAULT nextval('public.iteration_snapshots_id_seq'::regclass);


--
-- Name: audit_heads audit_heads_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.audit_heads
    ADD CONSTRAINT audit_heads_pkey PRIMARY KEY (table_name);


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
-- Name: migration_log migration_log_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.migration_log
    ADD CONSTRAINT migration_log_pkey PRIMARY KEY (id);


--
-- Name: quarantine quarantine_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (id);


--
-- Name: quarantine quarantine_table_name_row_id_key; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.quarantine
    ADD CONSTRAINT quarantine_table_name_row_id_key UNIQUE (table_name, row_id);


--
-- Name: queues queues_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.queues
    ADD CONSTRAINT queues_pkey PRIMARY KEY (name);


--
-- Name: secret_refreshes secret_refreshes_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.secret_refreshes
    ADD CONSTRAINT secret_refreshes_pkey PRIMARY KEY (user_id, provider);


--
-- Name: upgrade_changes upgrade_changes_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.upgrade_changes
    ADD CONSTRAINT upgrade_changes_pkey PRIMARY KEY (id);


--
-- Name: upgrade_counts upgrade_counts_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.upgrade_counts
    ADD CONSTRAINT upgrade_counts_pkey PRIMARY KEY (table_name);


--
-- Name: upgrade_owners upgrade_owners_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.upgrade_owners
    ADD CONSTRAINT upgrade_owners_pkey PRIMARY KEY (app_id);


--
-- Name: upgrade_progress upgrade_progress_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.upgrade_progress
    ADD CONSTRAINT upgrade_progress_pkey PRIMARY KEY (phase);


--
-- Name: upgrade_samples upgrade_samples_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.upgrade_samples
    ADD CONSTRAINT upgrade_samples_pkey PRIMARY KEY (row_id);


--
-- Name: upgrade_users upgrade_users_pkey; Type: CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.upgrade_users
    ADD CONSTRAINT upgrade_users_pkey PRIMARY KEY (user_id);


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
-- Name: cleanup_outbox cleanup_outbox_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.cleanup_outbox
    ADD CONSTRAINT cleanup_outbox_pkey PRIMARY KEY (id);


--
-- Name: deployment_config_history deployment_config_history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deployment_config_history
    ADD CONSTRAINT deployment_config_history_pkey PRIMARY KEY (id);


--
-- Name: deployment_config deployment_config_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deployment_config
    ADD CONSTRAINT deployment_config_pkey PRIMARY KEY (key);


--
-- Name: generation_costs generation_costs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_costs
    ADD CONSTRAINT generation_costs_pkey PRIMARY KEY (user_id, id);


--
-- Name: generation_costs generation_costs_user_id_idempotency_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_costs
    ADD CONSTRAINT generation_costs_user_id_idempotency_key_key UNIQUE (user_id, idempotency_key);


--
-- Name: generation_events generation_events_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_events
    ADD CONSTRAINT generation_events_pkey PRIMARY KEY (id);


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
-- Name: schema_snapshots schema_snapshots_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_snapshots
    ADD CONSTRAINT schema_snapshots_pkey PRIMARY KEY (id);


--
-- Name: schema_snapshots schema_snapshots_user_id_generation_request_id_iteration_number; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_snapshots
    ADD CONSTRAINT schema_snapshots_user_id_generation_request_id_iteration_number UNIQUE (user_id, generation_request_id, iteration_number);


--
-- Name: supabase_project_places supabase_project_places_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.supabase_project_places
    ADD CONSTRAINT supabase_project_places_pkey PRIMARY KEY (app_id);


--
-- Name: supabase_project_places supabase_project_places_supabase_project_ref_app_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.supabase_project_places
    ADD CONSTRAINT supabase_project_places_supabase_project_ref_app_id_key UNIQUE (supabase_project_ref, app_id);


--
-- Name: supabase_projects supabase_projects_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.supabase_projects
    ADD CONSTRAINT supabase_projects_pkey PRIMARY KEY (ref);


--
-- Name: user_activity_log user_activity_log_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_activity_log
    ADD CONSTRAINT user_activity_log_pkey PRIMARY KEY (id);


--
-- Name: user_profiles user_profiles_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT user_profiles_pkey PRIMARY KEY (user_id);


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
-- Name: migration_log_user_id_idx; Type: INDEX; Schema: private; Owner: -
--

CREATE INDEX migration_log_user_id_idx ON private.migration_log USING btree (user_id);


--
-- Name: INDEX migration_log_user_id_idx; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON INDEX private.migration_log_user_id_idx IS 'Serves the foreign key: deleting a user deletes the user''s rows.';


--
-- Name: quarantine_user_id_idx; Type: INDEX; Schema: private; Owner: -
--

CREATE INDEX quarantine_user_id_idx ON private.quarantine USING btree (user_id);


--
-- Name: INDEX quarantine_user_id_idx; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON INDEX private.quarantine_user_id_idx IS 'Serves the foreign key: deleting a user deletes the user''s rows.';


--
-- Name: upgrade_owners_user_id_idx; Type: INDEX; Schema: private; Owner: -
--

CREATE INDEX upgrade_owners_user_id_idx ON private.upgrade_owners USING btree (user_id);


--
-- Name: INDEX upgrade_owners_user_id_idx; Type: COMMENT; Schema: private; Owner: -
--

COMMENT ON INDEX private.upgrade_owners_user_id_idx IS 'Serves the foreign key; ids that are still contested are added again by the next backfill.';


--
-- Name: apps_supabase_project_ref_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX apps_supabase_project_ref_id_idx ON public.apps USING btree (supabase_project_ref, id);


--
-- Name: INDEX apps_supabase_project_ref_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.apps_supabase_project_ref_id_idx IS 'Serves the foreign key, and finds the apps of a project.';


--
-- Name: apps_user_id_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX apps_user_id_created_at_id_idx ON public.apps USING btree (user_id, created_at DESC, id DESC);


--
-- Name: INDEX apps_user_id_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.apps_user_id_created_at_id_idx IS 'Serves apps.list: a user''s apps, newest first, page by page.';


--
-- Name: cleanup_outbox_available_at_id_open_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX cleanup_outbox_available_at_id_open_idx ON public.cleanup_outbox USING btree (available_at, id) WHERE (finished_at IS NULL);


--
-- Name: INDEX cleanup_outbox_available_at_id_open_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.cleanup_outbox_available_at_id_open_idx IS 'Serves private.claim_cleanups: open rows, the earliest first.';


--
-- Name: cleanup_outbox_sealing_key_id_sealed_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX cleanup_outbox_sealing_key_id_sealed_idx ON public.cleanup_outbox USING btree (split_part((sealed_token)::text, '.'::text, 3), id) WHERE (sealed_token IS NOT NULL);


--
-- Name: INDEX cleanup_outbox_sealing_key_id_sealed_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.cleanup_outbox_sealing_key_id_sealed_idx IS 'Serves make key-usage and make rotate-keys: counts and lists the tokens to revoke that a key sealed.';


--
-- Name: cleanup_outbox_target_open_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX cleanup_outbox_target_open_idx ON public.cleanup_outbox USING hash (target) WHERE (finished_at IS NULL);


--
-- Name: INDEX cleanup_outbox_target_open_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.cleanup_outbox_target_open_idx IS 'Serves the triggers that insert here and private.release_supabase_place: finds the open rows of a target. Hash, so that no target is too long.';


--
-- Name: deployment_config_history_key_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deployment_config_history_key_id_idx ON public.deployment_config_history USING btree (key, id);


--
-- Name: INDEX deployment_config_history_key_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.deployment_config_history_key_id_idx IS 'Serves the history of a key, its latest entry and its redaction.';


--
-- Name: deployment_config_sealing_key_key_encrypted_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deployment_config_sealing_key_key_encrypted_idx ON public.deployment_config USING btree (split_part(value, '.'::text, 3), key) WHERE encrypted;


--
-- Name: INDEX deployment_config_sealing_key_key_encrypted_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.deployment_config_sealing_key_key_encrypted_idx IS 'Serves make key-usage and make rotate-keys: counts and lists the settings that a key sealed.';


--
-- Name: generation_costs_user_id_corrects_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_costs_user_id_corrects_id_idx ON public.generation_costs USING btree (user_id, corrects_id);


--
-- Name: INDEX generation_costs_user_id_corrects_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_costs_user_id_corrects_id_idx IS 'Serves the foreign key of corrections, and finds the corrections of a row.';


--
-- Name: generation_costs_user_id_generation_request_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_costs_user_id_generation_request_id_idx ON public.generation_costs USING btree (user_id, generation_request_id);


--
-- Name: INDEX generation_costs_user_id_generation_request_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_costs_user_id_generation_request_id_idx IS 'Serves the foreign key to generation_requests, and the sums of one generation.';


--
-- Name: generation_costs_user_id_month_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_costs_user_id_month_idx ON public.generation_costs USING btree (user_id, month) INCLUDE (input_tokens, output_tokens, cached_tokens, compute_ms, cost_micros);


--
-- Name: INDEX generation_costs_user_id_month_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_costs_user_id_month_idx IS 'Serves generation_costs_by_month and generation_costs_by_user by index-only scans.';


--
-- Name: generation_events_acting_user_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_events_acting_user_id_idx ON public.generation_events USING btree (acting_user_id);


--
-- Name: INDEX generation_events_acting_user_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_events_acting_user_id_idx IS 'Serves the foreign key, which sets the column to null when a user is deleted.';


--
-- Name: generation_events_user_id_generation_request_id_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_events_user_id_generation_request_id_id_idx ON public.generation_events USING btree (user_id, generation_request_id, id);


--
-- Name: INDEX generation_events_user_id_generation_request_id_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_events_user_id_generation_request_id_id_idx IS 'Serves the timeline of a generation, in order, and the deletion of the generation.';


--
-- Name: generation_events_user_id_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_events_user_id_id_idx ON public.generation_events USING btree (user_id, id);


--
-- Name: INDEX generation_events_user_id_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_events_user_id_id_idx IS 'Serves events.list: a user''s newest events, page by page.';


--
-- Name: generation_requests_priority_queue_at_id_queued_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_requests_priority_queue_at_id_queued_idx ON public.generation_requests USING btree (priority DESC, queue_at, id) WHERE (status = 'queued'::public.generation_status);


--
-- Name: INDEX generation_requests_priority_queue_at_id_queued_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_requests_priority_queue_at_id_queued_idx IS 'Serves the claim: the generations in the order in which they are claimed.';


--
-- Name: generation_requests_user_id_app_id_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX generation_requests_user_id_app_id_id_idx ON public.generation_requests USING btree (user_id, app_id, id);


--
-- Name: INDEX generation_requests_user_id_app_id_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_requests_user_id_app_id_id_idx IS 'Serves the foreign key to apps, and finds an app''s generations in order.';


--
-- Name: INDEX generation_requests_user_id_id_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.generation_requests_user_id_id_key IS 'Target of the children''s foreign keys; finds a user''s generations in order.';


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

COMMENT ON INDEX public.generation_requests_user_id_queue_at_queued_idx IS 'Serves the limit of queued generations per user, and the position of the next one.';


--
-- Name: iteration_snapshots_user_id_generation_request_id_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX iteration_snapshots_user_id_generation_request_id_id_idx ON public.iteration_snapshots USING btree (user_id, generation_request_id, id);


--
-- Name: INDEX iteration_snapshots_user_id_generation_request_id_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.iteration_snapshots_user_id_generation_request_id_id_idx IS 'Serves the foreign key to generation_requests, and finds a generation''s snapshots in order.';


--
-- Name: INDEX supabase_project_places_supabase_project_ref_app_id_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.supabase_project_places_supabase_project_ref_app_id_key IS 'Target of the foreign key of apps; serves the foreign key to supabase_projects, and finds the apps of a project.';


--
-- Name: user_activity_log_user_id_created_at_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX user_activity_log_user_id_created_at_id_idx ON public.user_activity_log USING btree (user_id, created_at DESC, id DESC);


--
-- Name: INDEX user_activity_log_user_id_created_at_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.user_activity_log_user_id_created_at_id_idx IS 'Serves the foreign key, and a user''s newest entries, page by page.';


--
-- Name: user_activity_log_user_id_object_type_object_id_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX user_activity_log_user_id_object_type_object_id_id_idx ON public.user_activity_log USING btree (user_id, object_type, object_id, id);


--
-- Name: INDEX user_activity_log_user_id_object_type_object_id_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.user_activity_log_user_id_object_type_object_id_id_idx IS 'Serves the entries of an object, in order.';


--
-- Name: user_secrets_expires_at_id_expiring_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX user_secrets_expires_at_id_expiring_idx ON public.user_secrets USING btree (expires_at, id) WHERE (expires_at IS NOT NULL);


--
-- Name: INDEX user_secrets_expires_at_id_expiring_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.user_secrets_expires_at_id_expiring_idx IS 'Serves user_secrets.listExpiring of ./secrets: connections that expire before a time, page by page.';


--
-- Name: user_secrets_sealing_key_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX user_secrets_sealing_key_id_idx ON public.user_secrets USING btree (split_part((encrypted_token)::text, '.'::text, 3), id);


--
-- Name: INDEX user_secrets_sealing_key_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.user_secrets_sealing_key_id_idx IS 'Serves make key-usage and make rotate-keys: counts and lists the tokens that a key sealed.';


--
-- Name: quarantine _900_record_change; Type: TRIGGER; Schema: private; Owner: -
--

CREATE TRIGGER _900_record_change AFTER DELETE OR UPDATE OF content ON private.quarantine FOR EACH ROW EXECUTE FUNCTION private.tg_quarantine__record_change();


--
-- Name: generation_costs _100_attribute; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_attribute BEFORE INSERT ON public.generation_costs FOR EACH ROW EXECUTE FUNCTION private.tg_generation_costs__attribute();


--
-- Name: generation_requests _100_change_status; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_change_status BEFORE UPDATE OF status, completed_at ON public.generation_requests FOR EACH ROW WHEN (((old.status IS DISTINCT FROM new.status) OR (old.completed_at IS DISTINCT FROM new.completed_at))) EXECUTE FUNCTION private.tg_generation_requests__change_status();


--
-- Name: generation_requests _100_enqueue; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_enqueue BEFORE INSERT ON public.generation_requests FOR EACH ROW EXECUTE FUNCTION private.tg_generation_requests__enqueue();


--
-- Name: generation_requests _100_freeze_identity; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_freeze_identity BEFORE UPDATE OF id, user_id, app_id, app_name, created_at ON public.generation_requests FOR EACH ROW WHEN (((old.id IS DISTINCT FROM new.id) OR (old.user_id IS DISTINCT FROM new.user_id) OR (old.app_id IS DISTINCT FROM new.app_id) OR (old.app_name IS DISTINCT FROM new.app_name) OR (old.created_at IS DISTINCT FROM new.created_at))) EXECUTE FUNCTION private.tg__refuse_change('id', 'user_id', 'app_id', 'app_name', 'created_at');


--
-- Name: deployment_config _100_lock_history; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_lock_history BEFORE INSERT OR DELETE OR UPDATE ON public.deployment_config FOR EACH STATEMENT EXECUTE FUNCTION private.tg_deployment_config__lock_history();


--
-- Name: user_profiles _100_merge_preferences; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_merge_preferences BEFORE UPDATE OF preferences ON public.user_profiles FOR EACH ROW EXECUTE FUNCTION private.tg_user_profiles__merge_preferences();


--
-- Name: deployment_config _100_refuse_plaintext; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_refuse_plaintext BEFORE INSERT OR UPDATE ON public.deployment_config FOR EACH ROW EXECUTE FUNCTION private.tg_deployment_config__refuse_plaintext();


--
-- Name: schema_snapshots _100_refuse_unknown_iteration; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_refuse_unknown_iteration BEFORE INSERT ON public.schema_snapshots FOR EACH ROW EXECUTE FUNCTION private.tg__refuse_unknown_iteration();


--
-- Name: deployment_config _100_touch_updated_at; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_touch_updated_at BEFORE UPDATE ON public.deployment_config FOR EACH ROW EXECUTE FUNCTION private.tg__touch_updated_at();


--
-- Name: generation_requests _100_touch_updated_at; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_touch_updated_at BEFORE UPDATE ON public.generation_requests FOR EACH ROW EXECUTE FUNCTION private.tg__touch_updated_at();


--
-- Name: supabase_projects _100_touch_updated_at; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_touch_updated_at BEFORE UPDATE ON public.supabase_projects FOR EACH ROW EXECUTE FUNCTION private.tg__touch_updated_at();


--
-- Name: user_profiles _100_touch_updated_at; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _100_touch_updated_at BEFORE UPDATE ON public.user_profiles FOR EACH ROW EXECUTE FUNCTION private.tg__touch_updated_at();


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
-- Name: generation_costs _200_refuse_unknown_iteration; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _200_refuse_unknown_iteration BEFORE INSERT ON public.generation_costs FOR EACH ROW WHEN (((new.iteration_number IS NOT NULL) AND (new.corrects_id IS NULL))) EXECUTE FUNCTION private.tg__refuse_unknown_iteration();


--
-- Name: apps _500_record_cleanup; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _500_record_cleanup BEFORE DELETE ON public.apps FOR EACH ROW EXECUTE FUNCTION private.tg_apps__record_cleanup();


--
-- Name: user_secrets _500_record_cleanup; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _500_record_cleanup BEFORE DELETE ON public.user_secrets FOR EACH ROW EXECUTE FUNCTION private.tg_user_secrets__record_cleanup();


--
-- Name: apps _500_release_supabase_place; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _500_release_supabase_place BEFORE DELETE ON public.apps FOR EACH ROW WHEN ((old.supabase_project_ref IS NOT NULL)) EXECUTE FUNCTION private.tg_apps__release_supabase_place();


--
-- Name: user_profiles _900_log_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_change AFTER UPDATE ON public.user_profiles FOR EACH ROW WHEN (((old.display_name IS DISTINCT FROM new.display_name) OR (old.avatar_url IS DISTINCT FROM new.avatar_url) OR (old.preferences IS DISTINCT FROM new.preferences))) EXECUTE FUNCTION private.tg_user_profiles__log_activity();


--
-- Name: user_secrets _900_log_connect; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_connect AFTER INSERT ON public.user_secrets FOR EACH ROW EXECUTE FUNCTION private.tg_user_secrets__log_activity();


--
-- Name: apps _900_log_create; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_create AFTER INSERT ON public.apps FOR EACH ROW EXECUTE FUNCTION private.tg_apps__log_activity();


--
-- Name: user_profiles _900_log_create; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_create AFTER INSERT ON public.user_profiles FOR EACH ROW EXECUTE FUNCTION private.tg_user_profiles__log_activity();


--
-- Name: apps _900_log_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_delete AFTER DELETE ON public.apps FOR EACH ROW EXECUTE FUNCTION private.tg_apps__log_activity();


--
-- Name: generation_requests _900_log_enqueue; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_enqueue AFTER INSERT ON public.generation_requests FOR EACH ROW WHEN ((new.status = 'queued'::public.generation_status)) EXECUTE FUNCTION private.tg_generation_requests__log_enqueue();


--
-- Name: user_secrets _900_log_remove; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_remove AFTER DELETE ON public.user_secrets FOR EACH ROW EXECUTE FUNCTION private.tg_user_secrets__log_activity();


--
-- Name: apps _900_log_rename; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_rename AFTER UPDATE OF app_name ON public.apps FOR EACH ROW WHEN ((old.app_name IS DISTINCT FROM new.app_name)) EXECUTE FUNCTION private.tg_apps__log_activity();


--
-- Name: user_secrets _900_log_replace; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_replace AFTER UPDATE OF encrypted_token ON public.user_secrets FOR EACH ROW WHEN (((old.encrypted_token)::text IS DISTINCT FROM (new.encrypted_token)::text)) EXECUTE FUNCTION private.tg_user_secrets__log_activity();


--
-- Name: generation_requests _900_log_status_change; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_log_status_change AFTER UPDATE OF status ON public.generation_requests FOR EACH ROW WHEN ((new.status = ANY (ARRAY['queued'::public.generation_status, 'paused'::public.generation_status, 'cancelled'::public.generation_status]))) EXECUTE FUNCTION private.tg_generation_requests__log_status_change();


--
-- Name: generation_requests _900_record_deletion; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_record_deletion AFTER DELETE ON public.generation_requests FOR EACH ROW EXECUTE FUNCTION private.tg__record_change();


--
-- Name: iteration_snapshots _900_record_deletion; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_record_deletion AFTER DELETE ON public.iteration_snapshots FOR EACH ROW EXECUTE FUNCTION private.tg__record_change();


--
-- Name: generation_requests _900_record_event; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_record_event AFTER UPDATE ON public.generation_requests REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION private.tg_generation_requests__record_event();


--
-- Name: generation_requests _900_record_first_event; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_record_first_event AFTER INSERT ON public.generation_requests REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION private.tg_generation_requests__record_event();


--
-- Name: deployment_config _900_record_history; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_record_history AFTER INSERT OR DELETE OR UPDATE ON public.deployment_config FOR EACH ROW EXECUTE FUNCTION private.tg_deployment_config__record_history();


--
-- Name: generation_requests _900_record_rewriting; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_record_rewriting AFTER UPDATE OF id, user_id, app_id, app_name, prompt, generation_type, mode, created_at ON public.generation_requests FOR EACH ROW WHEN (((old.id IS DISTINCT FROM new.id) OR (old.user_id IS DISTINCT FROM new.user_id) OR (old.app_id IS DISTINCT FROM new.app_id) OR (old.app_name IS DISTINCT FROM new.app_name) OR (octet_length(old.prompt) IS DISTINCT FROM octet_length(new.prompt)) OR (old.generation_type IS DISTINCT FROM new.generation_type) OR (old.mode IS DISTINCT FROM new.mode) OR (old.created_at IS DISTINCT FROM new.created_at))) EXECUTE FUNCTION private.tg__record_change();


--
-- Name: iteration_snapshots _900_record_rewriting; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER _900_record_rewriting AFTER UPDATE OF id, generation_request_id, iteration_number, snapshot_type, files_snapshot, prompt_used, "timestamp" ON public.iteration_snapshots FOR EACH ROW WHEN (((old.id IS DISTINCT FROM new.id) OR (old.generation_request_id IS DISTINCT FROM new.generation_request_id) OR (old.iteration_number IS DISTINCT FROM new.iteration_number) OR (old.snapshot_type IS DISTINCT FROM new.snapshot_type) OR (octet_length(old.files_snapshot) IS DISTINCT FROM octet_length(new.files_snapshot)) OR (octet_length(old.prompt_used) IS DISTINCT FROM octet_length(new.prompt_used)) OR (old."timestamp" IS DISTINCT FROM new."timestamp"))) EXECUTE FUNCTION private.tg__record_change();


--
-- Name: generation_leases generation_leases_user_id_generation_request_id_fkey; Type: FK CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.generation_leases
    ADD CONSTRAINT generation_leases_user_id_generation_request_id_fkey FOREIGN KEY (user_id, generation_request_id) REFERENCES public.generation_requests(user_id, id) ON DELETE CASCADE;


--
-- Name: migration_log migration_log_user_id_fkey; Type: FK CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.migration_log
    ADD CONSTRAINT migration_log_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: quarantine quarantine_user_id_fkey; Type: FK CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.quarantine
    ADD CONSTRAINT quarantine_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: secret_refreshes secret_refreshes_user_id_provider_fkey; Type: FK CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.secret_refreshes
    ADD CONSTRAINT secret_refreshes_user_id_provider_fkey FOREIGN KEY (user_id, provider) REFERENCES public.user_secrets(user_id, provider) ON DELETE CASCADE;


--
-- Name: upgrade_owners upgrade_owners_user_id_fkey; Type: FK CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.upgrade_owners
    ADD CONSTRAINT upgrade_owners_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: upgrade_users upgrade_users_user_id_fkey; Type: FK CONSTRAINT; Schema: private; Owner: -
--

ALTER TABLE ONLY private.upgrade_users
    ADD CONSTRAINT upgrade_users_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: apps apps_supabase_project_ref_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_supabase_project_ref_id_fkey FOREIGN KEY (supabase_project_ref, id) REFERENCES public.supabase_project_places(supabase_project_ref, app_id);


--
-- Name: apps apps_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: generation_costs generation_costs_user_id_corrects_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_costs
    ADD CONSTRAINT generation_costs_user_id_corrects_id_fkey FOREIGN KEY (user_id, corrects_id) REFERENCES public.generation_costs(user_id, id);


--
-- Name: generation_costs generation_costs_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_costs
    ADD CONSTRAINT generation_costs_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: generation_costs generation_costs_user_id_generation_request_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_costs
    ADD CONSTRAINT generation_costs_user_id_generation_request_id_fkey FOREIGN KEY (user_id, generation_request_id) REFERENCES public.generation_requests(user_id, id) ON DELETE SET NULL (generation_request_id);


--
-- Name: generation_events generation_events_acting_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_events
    ADD CONSTRAINT generation_events_acting_user_id_fkey FOREIGN KEY (acting_user_id) REFERENCES auth.users(id) ON DELETE SET NULL;


--
-- Name: generation_events generation_events_user_id_generation_request_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.generation_events
    ADD CONSTRAINT generation_events_user_id_generation_request_id_fkey FOREIGN KEY (user_id, generation_request_id) REFERENCES public.generation_requests(user_id, id) ON DELETE CASCADE;


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
-- Name: schema_snapshots schema_snapshots_user_id_generation_request_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_snapshots
    ADD CONSTRAINT schema_snapshots_user_id_generation_request_id_fkey FOREIGN KEY (user_id, generation_request_id) REFERENCES public.generation_requests(user_id, id) ON DELETE CASCADE;


--
-- Name: supabase_project_places supabase_project_places_supabase_project_ref_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.supabase_project_places
    ADD CONSTRAINT supabase_project_places_supabase_project_ref_fkey FOREIGN KEY (supabase_project_ref) REFERENCES public.supabase_projects(ref);


--
-- Name: user_activity_log user_activity_log_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_activity_log
    ADD CONSTRAINT user_activity_log_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


--
-- Name: user_profiles user_profiles_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.user_profiles
    ADD CONSTRAINT user_profiles_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;


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
-- Name: user_profiles all_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY all_service ON public.user_profiles TO service_role USING (true) WITH CHECK (true);


--
-- Name: user_secrets all_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY all_service ON public.user_secrets TO service_role USING (true) WITH CHECK (true);


--
-- Name: apps; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.apps ENABLE ROW LEVEL SECURITY;


--
-- Name: cleanup_outbox; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.cleanup_outbox ENABLE ROW LEVEL SECURITY;


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
-- Name: deployment_config_history; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.deployment_config_history ENABLE ROW LEVEL SECURITY;


--
-- Name: generation_costs; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.generation_costs ENABLE ROW LEVEL SECURITY;


--
-- Name: generation_events; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.generation_events ENABLE ROW LEVEL SECURITY;


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
-- Name: user_profiles insert_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_own ON public.user_profiles FOR INSERT TO authenticated WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: generation_costs insert_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_service ON public.generation_costs FOR INSERT TO service_role WITH CHECK (true);


--
-- Name: iteration_snapshots insert_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_service ON public.iteration_snapshots FOR INSERT TO service_role WITH CHECK (true);


--
-- Name: schema_snapshots insert_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_service ON public.schema_snapshots FOR INSERT TO service_role WITH CHECK (true);


--
-- Name: supabase_projects insert_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_service ON public.supabase_projects FOR INSERT TO service_role WITH CHECK (true);


--
-- Name: user_activity_log insert_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY insert_service ON public.user_activity_log FOR INSERT TO service_role WITH CHECK (true);


--
-- Name: iteration_snapshots; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.iteration_snapshots ENABLE ROW LEVEL SECURITY;


--
-- Name: schema_snapshots; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.schema_snapshots ENABLE ROW LEVEL SECURITY;


--
-- Name: apps select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.apps FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: generation_costs select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.generation_costs FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: generation_events select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.generation_events FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: generation_requests select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.generation_requests FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: iteration_snapshots select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.iteration_snapshots FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: schema_snapshots select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.schema_snapshots FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: user_activity_log select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.user_activity_log FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: user_profiles select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.user_profiles FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: user_secrets select_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_own ON public.user_secrets FOR SELECT TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: cleanup_outbox select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.cleanup_outbox FOR SELECT TO service_role USING (true);


--
-- Name: deployment_config_history select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.deployment_config_history FOR SELECT TO service_role USING (true);


--
-- Name: generation_costs select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.generation_costs FOR SELECT TO service_role USING (true);


--
-- Name: generation_events select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.generation_events FOR SELECT TO service_role USING (true);


--
-- Name: iteration_snapshots select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.iteration_snapshots FOR SELECT TO service_role USING (true);


--
-- Name: schema_snapshots select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.schema_snapshots FOR SELECT TO service_role USING (true);


--
-- Name: supabase_project_places select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.supabase_project_places FOR SELECT TO service_role USING (true);


--
-- Name: supabase_projects select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.supabase_projects FOR SELECT TO service_role USING (true);


--
-- Name: user_activity_log select_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY select_service ON public.user_activity_log FOR SELECT TO service_role USING (true);


--
-- Name: supabase_project_places; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.supabase_project_places ENABLE ROW LEVEL SECURITY;


--
-- Name: supabase_projects; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.supabase_projects ENABLE ROW LEVEL SECURITY;


--
-- Name: apps update_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY update_own ON public.apps FOR UPDATE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid))) WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: generation_requests update_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY update_own ON public.generation_requests FOR UPDATE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid))) WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: user_profiles update_own; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY update_own ON public.user_profiles FOR UPDATE TO authenticated USING ((user_id = ( SELECT auth.uid() AS uid))) WITH CHECK ((user_id = ( SELECT auth.uid() AS uid)));


--
-- Name: supabase_projects update_service; Type: POLICY; Schema: public; Owner: -
--

CREATE POLICY update_service ON public.supabase_projects FOR UPDATE TO service_role USING (true) WITH CHECK (true);


--
-- Name: user_activity_log; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.user_activity_log ENABLE ROW LEVEL SECURITY;


--
-- Name: user_profiles; Type: ROW SECURITY; Schema: public; Owner: -
--

ALTER TABLE public.user_profiles ENABLE ROW LEVEL SECURITY;


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
-- Name: FUNCTION acting_role(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.acting_role() FROM PUBLIC;


--
-- Name: FUNCTION acting_user_id(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.acting_user_id() FROM PUBLIC;


--
-- Name: FUNCTION allocate_supabase_project(p_app_id uuid, p_pool text, p_region text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.allocate_supabase_project(p_app_id uuid, p_pool text, p_region text) FROM PUBLIC;
GRANT ALL ON FUNCTION private.allocate_supabase_project(p_app_id uuid, p_pool text, p_region text) TO leo_worker;


--
-- Name: FUNCTION app_id_of_request(p_request_id integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.app_id_of_request(p_request_id integer) FROM PUBLIC;


--
-- Name: TABLE deployment_config; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.deployment_config TO service_role;


--
-- Name: FUNCTION append_config_history(p_key text, p_action public.config_action, p_old public.deployment_config, p_new public.deployment_config); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.append_config_history(p_key text, p_action public.config_action, p_old public.deployment_config, p_new public.deployment_config) FROM PUBLIC;


--
-- Name: FUNCTION apps_in_requests(p_user_ids uuid[]); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.apps_in_requests(p_user_ids uuid[]) FROM PUBLIC;


--
-- Name: FUNCTION assert_no_rows(p_table regclass, p_condition text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.assert_no_rows(p_table regclass, p_condition text) FROM PUBLIC;


--
-- Name: FUNCTION backfill_contested(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.backfill_contested() FROM PUBLIC;


--
-- Name: FUNCTION backfill_requests(p_limit integer, p_is_last boolean, p_stale_after interval); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.backfill_requests(p_limit integer, p_is_last boolean, p_stale_after interval) FROM PUBLIC;


--
-- Name: FUNCTION backfill_snapshots(p_limit integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.backfill_snapshots(p_limit integer) FROM PUBLIC;


--
-- Name: FUNCTION backfill_users(p_limit integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.backfill_users(p_limit integer) FROM PUBLIC;


--
-- Name: TABLE cleanup_outbox; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.cleanup_outbox TO service_role;


--
-- Name: FUNCTION claim_cleanups(p_worker text, p_limit integer, p_lease interval); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.claim_cleanups(p_worker text, p_limit integer, p_lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION private.claim_cleanups(p_worker text, p_limit integer, p_lease interval) TO leo_worker;


--
-- Name: FUNCTION claim_generations(p_worker text, p_limit integer, p_lease interval, p_user_limit integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.claim_generations(p_worker text, p_limit integer, p_lease interval, p_user_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION private.claim_generations(p_worker text, p_limit integer, p_lease interval, p_user_limit integer) TO leo_worker;


--
-- Name: FUNCTION complete_and_claim_generations(p_worker text, p_ids integer[], p_attempts integer[], p_github_commits text[], p_github_urls text[], p_deployment_urls text[], p_limit integer, p_lease interval, p_user_limit integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.complete_and_claim_generations(p_worker text, p_ids integer[], p_attempts integer[], p_github_commits text[], p_github_urls text[], p_deployment_urls text[], p_limit integer, p_lease interval, p_user_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION private.complete_and_claim_generations(p_worker text, p_ids integer[], p_attempts integer[], p_github_commits text[], p_github_urls text[], p_deployment_urls text[], p_limit integer, p_lease interval, p_user_limit integer) TO leo_worker;


--
-- Name: FUNCTION complete_generation(p_id integer, p_attempt integer, p_github_commit text, p_github_url text, p_deployment_url text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.complete_generation(p_id integer, p_attempt integer, p_github_commit text, p_github_url text, p_deployment_url text) FROM PUBLIC;
GRANT ALL ON FUNCTION private.complete_generation(p_id integer, p_attempt integer, p_github_commit text, p_github_url text, p_deployment_url text) TO leo_worker;


--
-- Name: FUNCTION config_substance(p_config public.deployment_config); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.config_substance(p_config public.deployment_config) FROM PUBLIC;


--
-- Name: FUNCTION fail_cleanup(p_id bigint, p_attempt integer, p_error text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.fail_cleanup(p_id bigint, p_attempt integer, p_error text) FROM PUBLIC;
GRANT ALL ON FUNCTION private.fail_cleanup(p_id bigint, p_attempt integer, p_error text) TO leo_worker;


--
-- Name: FUNCTION fail_generation(p_id integer, p_attempt integer, p_error text, p_max_failures integer, p_backoff interval); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.fail_generation(p_id integer, p_attempt integer, p_error text, p_max_failures integer, p_backoff interval) FROM PUBLIC;
GRANT ALL ON FUNCTION private.fail_generation(p_id integer, p_attempt integer, p_error text, p_max_failures integer, p_backoff interval) TO leo_worker;


--
-- Name: FUNCTION finish_cleanup(p_id bigint, p_attempt integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.finish_cleanup(p_id bigint, p_attempt integer) FROM PUBLIC;
GRANT ALL ON FUNCTION private.finish_cleanup(p_id bigint, p_attempt integer) TO leo_worker;


--
-- Name: FUNCTION free_app_name(p_user_id uuid, p_wanted text, p_from integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.free_app_name(p_user_id uuid, p_wanted text, p_from integer) FROM PUBLIC;


--
-- Name: TABLE deployment_config_history; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.deployment_config_history TO service_role;


--
-- Name: FUNCTION hash_config_history(p_entry public.deployment_config_history); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.hash_config_history(p_entry public.deployment_config_history) FROM PUBLIC;


--
-- Name: FUNCTION https_url(p_url text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.https_url(p_url text) FROM PUBLIC;


--
-- Name: FUNCTION lock_generations(p_limit integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.lock_generations(p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION private.lock_generations(p_limit integer) TO leo_worker;


--
-- Name: FUNCTION lock_generations_within_limit(p_limit integer, p_user_limit integer, p_ending integer[]); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.lock_generations_within_limit(p_limit integer, p_user_limit integer, p_ending integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION private.lock_generations_within_limit(p_limit integer, p_user_limit integer, p_ending integer[]) TO leo_worker;


--
-- Name: FUNCTION log_activity(p_user_id uuid, p_object_type text, p_object_id text, p_action text, p_detail jsonb); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.log_activity(p_user_id uuid, p_object_type text, p_object_id text, p_action text, p_detail jsonb) FROM PUBLIC;


--
-- Name: FUNCTION merge_json(p_target jsonb, p_patch jsonb, p_levels integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.merge_json(p_target jsonb, p_patch jsonb, p_levels integer) FROM PUBLIC;


--
-- Name: FUNCTION metadata_object(p_metadata jsonb); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.metadata_object(p_metadata jsonb) FROM PUBLIC;


--
-- Name: FUNCTION name_apps(p_user_ids uuid[]); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.name_apps(p_user_ids uuid[]) FROM PUBLIC;


--
-- Name: FUNCTION pause_generation_claims(p_by text, p_reason text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.pause_generation_claims(p_by text, p_reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION private.pause_generation_claims(p_by text, p_reason text) TO leo_worker;


--
-- Name: FUNCTION prolong_generation_lease(p_id integer, p_attempt integer, p_lease interval); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.prolong_generation_lease(p_id integer, p_attempt integer, p_lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION private.prolong_generation_lease(p_id integer, p_attempt integer, p_lease interval) TO leo_worker;


--
-- Name: FUNCTION put_back(p_table_name text, p_row_id bigint); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.put_back(p_table_name text, p_row_id bigint) FROM PUBLIC;


--
-- Name: FUNCTION record_iteration(p_id integer, p_attempt integer, p_iteration_number integer, p_snapshot_type public.snapshot_type, p_files_snapshot text, p_prompt_used text, p_metadata jsonb, p_session_id text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.record_iteration(p_id integer, p_attempt integer, p_iteration_number integer, p_snapshot_type public.snapshot_type, p_files_snapshot text, p_prompt_used text, p_metadata jsonb, p_session_id text) FROM PUBLIC;
GRANT ALL ON FUNCTION private.record_iteration(p_id integer, p_attempt integer, p_iteration_number integer, p_snapshot_type public.snapshot_type, p_files_snapshot text, p_prompt_used text, p_metadata jsonb, p_session_id text) TO leo_worker;


--
-- Name: FUNCTION redact_config_history(p_key text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.redact_config_history(p_key text) FROM PUBLIC;


--
-- Name: FUNCTION release_generation(p_id integer, p_attempt integer); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.release_generation(p_id integer, p_attempt integer) FROM PUBLIC;
GRANT ALL ON FUNCTION private.release_generation(p_id integer, p_attempt integer) TO leo_worker;


--
-- Name: FUNCTION release_supabase_place(p_app_id uuid); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.release_supabase_place(p_app_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION private.release_supabase_place(p_app_id uuid) TO leo_worker;


--
-- Name: FUNCTION request_metadata(OUT ip inet, OUT user_agent text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.request_metadata(OUT ip inet, OUT user_agent text) FROM PUBLIC;


--
-- Name: FUNCTION requeue_expired_generations(p_limit integer, p_max_failures integer, p_backoff interval); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.requeue_expired_generations(p_limit integer, p_max_failures integer, p_backoff interval) FROM PUBLIC;
GRANT ALL ON FUNCTION private.requeue_expired_generations(p_limit integer, p_max_failures integer, p_backoff interval) TO leo_worker;


--
-- Name: FUNCTION resume_generation_claims(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.resume_generation_claims() FROM PUBLIC;
GRANT ALL ON FUNCTION private.resume_generation_claims() TO leo_worker;


--
-- Name: FUNCTION schema_version(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.schema_version() FROM PUBLIC;
GRANT ALL ON FUNCTION private.schema_version() TO authenticated;
GRANT ALL ON FUNCTION private.schema_version() TO leo_api;
GRANT ALL ON FUNCTION private.schema_version() TO service_role;


--
-- Name: FUNCTION take_progress(p_phase text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.take_progress(p_phase text) FROM PUBLIC;


--
-- Name: FUNCTION tg__record_change(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg__record_change() FROM PUBLIC;


--
-- Name: FUNCTION tg__refuse_change(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg__refuse_change() FROM PUBLIC;


--
-- Name: FUNCTION tg__refuse_unknown_iteration(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg__refuse_unknown_iteration() FROM PUBLIC;


--
-- Name: FUNCTION tg__touch_updated_at(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg__touch_updated_at() FROM PUBLIC;


--
-- Name: FUNCTION tg_apps__log_activity(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_apps__log_activity() FROM PUBLIC;


--
-- Name: FUNCTION tg_apps__record_cleanup(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_apps__record_cleanup() FROM PUBLIC;


--
-- Name: FUNCTION tg_apps__release_supabase_place(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_apps__release_supabase_place() FROM PUBLIC;


--
-- Name: FUNCTION tg_deployment_config__lock_history(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_deployment_config__lock_history() FROM PUBLIC;


--
-- Name: FUNCTION tg_deployment_config__record_history(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_deployment_config__record_history() FROM PUBLIC;


--
-- Name: FUNCTION tg_deployment_config__refuse_plaintext(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_deployment_config__refuse_plaintext() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_costs__attribute(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_costs__attribute() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__change_status(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__change_status() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__enqueue(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__enqueue() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__follow_old_writer(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__follow_old_writer() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__limit_user(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__limit_user() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__log_enqueue(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__log_enqueue() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__log_status_change(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__log_status_change() FROM PUBLIC;


--
-- Name: FUNCTION tg_generation_requests__record_event(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_generation_requests__record_event() FROM PUBLIC;


--
-- Name: FUNCTION tg_iteration_snapshots__follow_old_writer(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_iteration_snapshots__follow_old_writer() FROM PUBLIC;


--
-- Name: FUNCTION tg_quarantine__record_change(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_quarantine__record_change() FROM PUBLIC;


--
-- Name: FUNCTION tg_user_profiles__log_activity(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_user_profiles__log_activity() FROM PUBLIC;


--
-- Name: FUNCTION tg_user_profiles__merge_preferences(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_user_profiles__merge_preferences() FROM PUBLIC;


--
-- Name: FUNCTION tg_user_secrets__log_activity(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_user_secrets__log_activity() FROM PUBLIC;


--
-- Name: FUNCTION tg_user_secrets__record_cleanup(); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.tg_user_secrets__record_cleanup() FROM PUBLIC;


--
-- Name: FUNCTION user_lock_key(p_user_id uuid); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.user_lock_key(p_user_id uuid) FROM PUBLIC;


--
-- Name: FUNCTION visible_name(p_name text); Type: ACL; Schema: private; Owner: -
--

REVOKE ALL ON FUNCTION private.visible_name(p_name text) FROM PUBLIC;


--
-- Name: FUNCTION diff_schema_snapshots(p_from bigint, p_to bigint); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.diff_schema_snapshots(p_from bigint, p_to bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION public.diff_schema_snapshots(p_from bigint, p_to bigint) TO authenticated;
GRANT ALL ON FUNCTION public.diff_schema_snapshots(p_from bigint, p_to bigint) TO service_role;


--
-- Name: FUNCTION schema_version(); Type: ACL; Schema: public; Owner: -
--

REVOKE ALL ON FUNCTION public.schema_version() FROM PUBLIC;
GRANT ALL ON FUNCTION public.schema_version() TO authenticated;
GRANT ALL ON FUNCTION public.schema_version() TO leo_api;
GRANT ALL ON FUNCTION public.schema_version() TO service_role;


--
-- Name: TABLE generation_leases; Type: ACL; Schema: private; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE private.generation_leases TO leo_worker;


--
-- Name: TABLE queues; Type: ACL; Schema: private; Owner: -
--

GRANT SELECT ON TABLE private.queues TO leo_worker;


--
-- Name: TABLE secret_refreshes; Type: ACL; Schema: private; Owner: -
--

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE private.secret_refreshes TO leo_worker;


--
-- Name: TABLE apps; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT,DELETE ON TABLE public.apps TO authenticated;
GRANT SELECT,DELETE ON TABLE public.apps TO service_role;


--
-- Name: COLUMN apps.id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(id),UPDATE(id) ON TABLE public.apps TO service_role;


--
-- Name: COLUMN apps.user_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(user_id) ON TABLE public.apps TO authenticated;
GRANT INSERT(user_id),UPDATE(user_id) ON TABLE public.apps TO service_role;


--
-- Name: COLUMN apps.app_name; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(app_name),UPDATE(app_name) ON TABLE public.apps TO authenticated;
GRANT INSERT(app_name),UPDATE(app_name) ON TABLE public.apps TO service_role;


--
-- Name: COLUMN apps.created_at; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(created_at),UPDATE(created_at) ON TABLE public.apps TO service_role;


--
-- Name: TABLE generation_costs; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.generation_costs TO authenticated;
GRANT SELECT ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(id) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.user_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(user_id) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.app_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(app_id) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.generation_request_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(generation_request_id) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.iteration_number; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(iteration_number) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.kind; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(kind) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.model; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(model) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.input_tokens; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(input_tokens) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.output_tokens; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(output_tokens) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.cached_tokens; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(cached_tokens) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.compute_ms; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(compute_ms) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.cost_micros; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(cost_micros) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.corrects_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(corrects_id) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.idempotency_key; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(idempotency_key) ON TABLE public.generation_costs TO service_role;


--
-- Name: COLUMN generation_costs.created_at; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(created_at) ON TABLE public.generation_costs TO service_role;


--
-- Name: TABLE generation_costs_by_app; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.generation_costs_by_app TO authenticated;
GRANT SELECT ON TABLE public.generation_costs_by_app TO service_role;


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
-- Name: TABLE iteration_snapshots; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.iteration_snapshots TO authenticated;
GRANT SELECT,INSERT ON TABLE public.iteration_snapshots TO service_role;


--
-- Name: TABLE generation_costs_by_iteration; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.generation_costs_by_iteration TO authenticated;
GRANT SELECT ON TABLE public.generation_costs_by_iteration TO service_role;


--
-- Name: TABLE generation_costs_by_generation; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.generation_costs_by_generation TO authenticated;
GRANT SELECT ON TABLE public.generation_costs_by_generation TO service_role;


--
-- Name: TABLE generation_costs_by_month; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.generation_costs_by_month TO authenticated;
GRANT SELECT ON TABLE public.generation_costs_by_month TO service_role;


--
-- Name: TABLE generation_costs_by_user; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.generation_costs_by_user TO authenticated;
GRANT SELECT ON TABLE public.generation_costs_by_user TO service_role;


--
-- Name: TABLE generation_events; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.generation_events TO authenticated;
GRANT SELECT ON TABLE public.generation_events TO service_role;


--
-- Name: SEQUENCE generation_requests_id_seq; Type: ACL; Schema: public; Owner: -
--

GRANT USAGE ON SEQUENCE public.generation_requests_id_seq TO authenticated;
GRANT USAGE ON SEQUENCE public.generation_requests_id_seq TO service_role;


--
-- Name: SEQUENCE iteration_snapshots_id_seq; Type: ACL; Schema: public; Owner: -
--

GRANT USAGE ON SEQUENCE public.iteration_snapshots_id_seq TO service_role;


--
-- Name: TABLE schema_snapshots; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.schema_snapshots TO authenticated;
GRANT SELECT,INSERT ON TABLE public.schema_snapshots TO service_role;


--
-- Name: TABLE supabase_project_places; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.supabase_project_places TO service_role;


--
-- Name: TABLE supabase_projects; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.supabase_projects TO service_role;


--
-- Name: COLUMN supabase_projects.ref; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(ref) ON TABLE public.supabase_projects TO service_role;


--
-- Name: COLUMN supabase_projects.pool; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(pool),UPDATE(pool) ON TABLE public.supabase_projects TO service_role;


--
-- Name: COLUMN supabase_projects.region; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(region),UPDATE(region) ON TABLE public.supabase_projects TO service_role;


--
-- Name: COLUMN supabase_projects.capacity; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(capacity),UPDATE(capacity) ON TABLE public.supabase_projects TO service_role;


--
-- Name: COLUMN supabase_projects.status; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(status),UPDATE(status) ON TABLE public.supabase_projects TO service_role;


--
-- Name: TABLE user_activity_log; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.user_activity_log TO authenticated;
GRANT SELECT ON TABLE public.user_activity_log TO service_role;


--
-- Name: COLUMN user_activity_log.user_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(user_id) ON TABLE public.user_activity_log TO service_role;


--
-- Name: COLUMN user_activity_log.action; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(action) ON TABLE public.user_activity_log TO service_role;


--
-- Name: COLUMN user_activity_log.object_type; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(object_type) ON TABLE public.user_activity_log TO service_role;


--
-- Name: COLUMN user_activity_log.object_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(object_id) ON TABLE public.user_activity_log TO service_role;


--
-- Name: COLUMN user_activity_log.ip; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(ip) ON TABLE public.user_activity_log TO service_role;


--
-- Name: COLUMN user_activity_log.user_agent; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(user_agent) ON TABLE public.user_activity_log TO service_role;


--
-- Name: COLUMN user_activity_log.detail; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(detail) ON TABLE public.user_activity_log TO service_role;


--
-- Name: TABLE user_profiles; Type: ACL; Schema: public; Owner: -
--

GRANT SELECT ON TABLE public.user_profiles TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.user_profiles TO service_role;


--
-- Name: COLUMN user_profiles.user_id; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(user_id),UPDATE(user_id) ON TABLE public.user_profiles TO authenticated;


--
-- Name: COLUMN user_profiles.display_name; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(display_name),UPDATE(display_name) ON TABLE public.user_profiles TO authenticated;


--
-- Name: COLUMN user_profiles.avatar_url; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(avatar_url),UPDATE(avatar_url) ON TABLE public.user_profiles TO authenticated;


--
-- Name: COLUMN user_profiles.preferences; Type: ACL; Schema: public; Owner: -
--

GRANT INSERT(preferences),UPDATE(preferences) ON TABLE public.user_profiles TO authenticated;


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


--
-- The rows that the migrations insert.
--

insert into private.audit_heads (table_name, hash) values
  ('deployment_config_history', E'\\x0000000000000000000000000000000000000000000000000000000000000000');

insert into private.error_codes (code, name, meaning) values
  ('LEO01', 'illegal_status_change', 'the status machine does not allow this change'),
  ('LEO02', 'status_change_reserved', 'only a service may make this change'),
  ('LEO03', 'retries_used_up', 'the user has used up the retries of this generation'),
  ('LEO04', 'queue_full', 'the user has the maximum number of queued generations'),
  ('LEO05', 'too_many_iterations', 'the user requested more iterations than are allowed'),
  ('LEO06', 'column_frozen', 'the column cannot be changed'),
  ('LEO07', 'sealed_value_not_declared', 'a value in sealed form was declared as not encrypted'),
  ('LEO08', 'rows_would_be_lost', 'the rollback would delete rows or values'),
  ('LEO09', 'role_not_as_expected', 'a role of the cluster is not as this schema requires'),
  ('LEO10', 'upgrade_not_ready', 'the upgrade of a live database requires an action of its operator'),
  ('LEO11', 'wrong_isolation_level', 'users can queue generations in READ COMMITTED transactions only'),
  ('LEO14', 'app_not_found', 'the app does not exist'),
  ('LEO15', 'place_not_releasing', 'the app has no place to be wiped: it is free, or still in use'),
  ('LEO16', 'claim_out_of_range', 'a claim has a limit of 1 to 100 rows and a lease of 1 second to 1 day'),
  ('LEO17', 'unknown_iteration', 'the generation has no such iteration, or the generation is missing'),
  ('LEO18', 'unknown_app', 'the app is not the one of the generation, or not an app of the user'),
  ('LEO19', 'correction_differs', 'a correction must have the app, generation, iteration, kind and model of the row that it corrects');

insert into private.queues (name, paused_at, paused_by, reason) values
  ('generations', null, NULL, NULL);

insert into private.upgrade_counts (table_name, last_id, fingerprint_of, row_count, fingerprint, counted_at) values
  ('generation_requests', '0', 'hash_record_extended(row(
      r.id, r.user_id, case when substr(r.app_id::text, 15, 1) <> ''8'' then r.app_id end,
      nullif(case when r.app_name collate "C" ~ ''[0-9A-Za-z]'' then r.app_name else private.visible_name(r.app_name) end, ''Untitled app''),
      coalesce(octet_length(r.prompt), 0), coalesce(r.generation_type, ''new''), coalesce(r.mode, ''autonomous''), r.created_at
    ), 0)', '0', '0', now()),
  ('iteration_snapshots', '0', 'hash_record_extended(row(
      r.id, r.generation_request_id, r.iteration_number, coalesce(r.snapshot_type, ''automatic''),
      octet_length(r.files_snapshot), octet_length(r.prompt_used), r."timestamp"
    ), 0)', '0', '0', now());
