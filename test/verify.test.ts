import { execFile } from 'node:child_process'
import process from 'node:process'
import { promisify } from 'node:util'
import t from 'tap'
import { adopt } from '../scripts/lib/adopt.ts'
import { withClient } from '../scripts/lib/connect.ts'
import { readSchemaText } from '../scripts/lib/doctor/schema-text.ts'
import { fromRoot } from '../scripts/lib/paths.ts'
import type { VerifyFinding } from '../scripts/lib/verify/finding.ts'
import { readParts } from '../scripts/lib/verify/parts.ts'
import { examineSchema } from '../scripts/lib/verify/schema.ts'
import { verify } from '../scripts/lib/verify.ts'
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from './fixtures/database.ts'
import { baseline, contractQuickly, expanded, run } from './fixtures/legacy.ts'
import { clusterAdmin } from './fixtures/server.ts'

/** `code object` of each finding, as a set would have them. */
const list = (findings: readonly VerifyFinding[], isKnown: boolean): string[] =>
  findings.filter((one) => one.isKnown === isKnown).map(({ code, object }) => `${code} ${object}`).sort()

async function command({ target }: TestDatabase) {
  const env = { ...process.env, DATABASE_URL: target.dbmateUrl }
  const script = [fromRoot('build', 'scripts', 'verify.js'), '--json']
  const ended: unknown = await promisify(execFile)(process.execPath, script, { env }).catch((error: unknown) => error)
  const { code = 0, stdout } = ended as { code?: number; stdout: string }
  const { is_right, findings } = JSON.parse(stdout) as { is_right: boolean; findings: VerifyFinding[] }
  return { code, is_right, findings }
}

/** Of databases whose migrations ran without being recorded. */
const examine = ({ target }: TestDatabase): Promise<VerifyFinding[]> =>
  withClient(target, (client) => examineSchema(client, target))

const mutations = `
  drop policy delete_own on user_secrets;
  alter policy select_own on apps using (true);
  alter policy update_own on generation_requests to public;
  create policy everybody on iteration_snapshots for select using (true);
  alter table apps disable row level security;
  alter table user_secrets no force row level security;

  grant select on user_secrets to anon;
  grant select (encrypted_token) on user_secrets to authenticated;
  grant truncate on apps to authenticated;
  grant select on apps to test_api;
  revoke update (status) on generation_requests from authenticated;
  grant execute on function private.tg__refuse_change() to public;
  alter default privileges in schema public grant select on tables to anon;

  alter function private.tg__touch_updated_at() security definer;
  alter function private.https_url(text) reset search_path;
  create or replace function private.user_lock_key(p_user_id uuid) returns bigint language sql immutable
    set search_path = pg_catalog, pg_temp as 'select 1::bigint';
  create function private.stranger() returns trigger language plpgsql as 'begin return new; end';
  create trigger stranger after insert on apps for each row execute function private.stranger();
  create rule stranger as on delete to user_secrets do instead nothing;
  drop trigger _100_touch_updated_at on user_secrets;
  alter table generation_requests disable trigger _100_enqueue;

  alter table apps drop constraint apps_app_name_not_blank_check;
  alter table apps add constraint apps_app_name_short_check check (char_length(app_name) < 100) not valid;
  alter table generation_requests drop constraint generation_requests_max_iterations_positive_check;
  alter table generation_requests add constraint generation_requests_max_iterations_positive_check check (max_iterations > 1);
  alter table private.generation_leases drop constraint generation_leases_pkey;
  alter table user_secrets drop constraint user_secrets_user_id_fkey;
  alter table user_secrets add constraint user_secrets_user_id_fkey foreign key (user_id) references auth.users (id);
  alter domain sealed_secret drop constraint sealed_secret_form_check;
  alter type generation_mode add value 'turbo';

  drop index apps_user_id_created_at_id_idx;
  drop index generation_requests_user_id_idempotency_key_key;
  create index generation_requests_user_id_idempotency_key_key on generation_requests (user_id, idempotency_key);
  create index "Another" on apps (app_name, id);
  create statistics apps_statistics on user_id, app_name from apps;
  create publication elsewhere for table apps;

  alter table apps add column "Region" text default 'eu';
  alter table apps alter column created_at drop default, alter column created_at drop not null;
  alter table generation_requests drop column github_commit, alter column max_iterations set default 5;
  alter table deployment_config alter column value type varchar(100000), alter column value set storage external;
  alter table deployment_config set (fillfactor = 70), replica identity full;
  alter sequence generation_requests_id_seq increment by 2;
  comment on column apps.user_id is null;
  comment on table apps is 'Ours.';

  create table public.votes (app_id uuid constraint votes_app_id_fkey references apps, vote integer check (vote > 0));
  create index on public.votes (vote);
  create view public.all_apps as select * from apps;
  grant select on public.all_apps to anon;
`

/** By the superuser. */
const powers = `
  alter function private.name_apps(uuid[]) owner to service_role;
  alter type snapshot_type owner to service_role;
  update pg_index set indisvalid = false where indexrelid = 'apps_user_id_id_key'::regclass;
`

const mutated = [
  'check_differs public.generation_requests constraint generation_requests_max_iterations_positive_check',
  'check_extra public.apps constraint apps_app_name_short_check',
  'check_missing public.apps constraint apps_app_name_not_blank_check',
  'check_missing public.generation_requests constraint generation_requests_github_commit_is_sha_check',
  'check_missing public.sealed_secret constraint sealed_secret_form_check',
  'column_differs public.apps.created_at default',
  'column_differs public.apps.created_at not null',
  'column_differs public.deployment_config.value storage',
  'column_differs public.deployment_config.value type',
  'column_differs public.generation_requests.max_iterations default',
  'column_extra public.apps.Region',
  'column_missing public.generation_requests.github_commit',
  'comment_differs comment on table public.apps',
  'comment_missing comment on column public.apps.user_id',
  'comment_missing comment on index public.generation_requests_user_id_idempotency_key_key',
  'constraint_missing private.generation_leases constraint generation_leases_pkey',
  'constraint_not_validated public.apps apps_app_name_short_check',
  'fk_constraint_differs public.user_secrets constraint user_secrets_user_id_fkey',
  'fk_constraint_extra public.votes constraint votes_app_id_fkey',
  'function_differs private.https_url(text)',
  'function_differs private.tg__touch_updated_at()',
  'function_differs private.user_lock_key(uuid)',
  'function_extra private.stranger()',
  'index_differs public.generation_requests_user_id_idempotency_key_key',
  'index_extra public."Another"',
  'index_invalid public.apps_user_id_id_key',
  'index_missing public.apps_user_id_created_at_id_idx',
  'owner_differs private.name_apps(uuid[])',
  'owner_differs public.snapshot_type',
  'policy_differs public.apps policy select_own',
  'policy_differs public.generation_requests policy update_own',
  'policy_extra public.iteration_snapshots policy everybody',
  'policy_missing public.user_secrets policy delete_own',
  'privilege_extra DEFAULT IN SCHEMA public ON TABLES anon',
  'privilege_extra FUNCTION private.tg__refuse_change() PUBLIC',
  'privilege_extra TABLE public.apps authenticated',
  'privilege_extra TABLE public.apps test_api',
  'privilege_extra TABLE public.user_secrets anon',
  'privilege_extra TABLE public.user_secrets authenticated',
  'privilege_missing TABLE public.generation_requests authenticated',
  'publication_extra public.apps in publication elsewhere',
  'row_security_not_forced public.user_secrets',
  'row_security_off public.apps',
  'rule_extra public.user_secrets rule stranger',
  'sequence_differs public.generation_requests_id_seq details',
  'statistics_extra public.apps_statistics',
  'table_differs public.deployment_config options',
  'table_differs public.deployment_config replica identity',
  'trigger_disabled public.generation_requests _100_enqueue',
  'trigger_extra public.apps trigger stranger',
  'trigger_missing public.user_secrets trigger _100_touch_updated_at',
  'type_differs public.generation_mode',
  'view_leaks public.all_apps',
]

/** By SQL of one line; the others need a person. */
const mendable =
  /^(comment|constraint_missing|constraint_not|index_(invalid|missing)|owner|policy|privilege|row_security|rule|trigger|view)/

const strangers = [
  'object_unknown public.all_apps',
  'object_unknown public.votes',
  'object_unknown publication elsewhere',
]

/** As an ORM might have made them. */
const live = `
  create type public.generation_status as enum ('queued', 'generating', 'completed', 'failed', 'paused', 'cancelled');
  create type public.generation_mode as enum ('single-shot', 'autonomous', 'confirm_first');
  create type public.generation_type as enum ('new', 'resume');
  create type public.snapshot_type as enum ('automatic', 'manual', 'checkpoint');
  create table public.generation_requests (
    created_at timestamptz not null default timezone('utc', now()),
    updated_at timestamp(3) default now(),
    completed_at timestamp,
    id serial,
    user_id uuid not null,
    app_id uuid default gen_random_uuid(),
    app_name varchar(255) default null::varchar,
    prompt text collate "C" not null,
    initial_prompt text,
    status public.generation_status default 'queued',
    generation_type public.generation_type,
    mode public.generation_mode,
    github_url varchar,
    deployment_url text,
    error_message text,
    max_iterations int default 5,
    current_iteration int not null default 0,
    last_session_id text,
    "Region" text,
    constraint "PK_requests" primary key (id),
    constraint "FK_user" foreign key (user_id) references auth.users (id) on delete cascade
  );
  create table public.iteration_snapshots (
    id int generated by default as identity,
    generation_request_id int,
    iteration_number int,
    snapshot_type public.snapshot_type,
    files_snapshot text,
    prompt_used text,
    "timestamp" timestamp not null default now(),
    metadata jsonb default '{}',
    constraint iteration_snapshots_pkey primary key (id),
    constraint "FK_request" foreign key (generation_request_id) references public.generation_requests (id)
  );
  create index "IDX_created" on public.generation_requests (created_at);
  create unique index "IDX_id" on public.generation_requests (id);
  create statistics public.request_statistics on user_id, app_id from public.generation_requests;
  comment on column public.generation_requests."Region" is 'Theirs.';
  alter table public.iteration_snapshots enable row level security;
  alter table public.iteration_snapshots replica identity full;
  alter table public.iteration_snapshots alter column files_snapshot set storage external;
  alter table public.iteration_snapshots set (fillfactor = 90);
  grant all on public.generation_requests, public.iteration_snapshots to anon, service_role;
  grant update (status) on public.generation_requests to authenticated;
  grant select on public.generation_requests to supabase_auth_admin;
  grant select ("Region") on public.generation_requests to supabase_auth_admin;
  grant usage on type public.snapshot_type to anon;
  create view public.users_with_requests as select distinct user_id from public.generation_requests;
  revoke all on public.users_with_requests from anon, authenticated;
  create publication realtime for table public.generation_requests;
`

const adopted = [
  'column_differs public.generation_requests.app_id default',
  'column_differs public.generation_requests.app_name type',
  'column_differs public.generation_requests.github_url type',
  'column_differs public.generation_requests.prompt collation',
  'column_differs public.iteration_snapshots.files_snapshot storage',
  'column_differs public.iteration_snapshots.id default',
  'column_differs public.iteration_snapshots.metadata default',
  'column_extra public.generation_requests.Region',
  'constraint_extra public.generation_requests constraint PK_requests',
  'constraint_missing public.generation_requests constraint generation_requests_pkey',
  'fk_constraint_extra public.generation_requests constraint FK_user',
  'index_extra public."IDX_created"',
  'index_extra public."IDX_id"',
  'object_unknown public.users_with_requests',
  'object_unknown publication realtime',
  'privilege_extra TABLE public.generation_requests supabase_auth_admin',
  'privilege_extra TYPE public.snapshot_type anon',
  'publication_extra public.generation_requests in publication realtime',
  'statistics_extra public.request_statistics',
  'table_differs public.iteration_snapshots options',
  'table_differs public.iteration_snapshots replica identity',
]

/** The first of each pair is recorded, but as something else; so are a default and a grant that the migrations took. */
const later = `
  create index "IDX_later" on generation_requests (app_name);
  drop index "IDX_created";
  create index "IDX_created" on generation_requests (created_at desc);
  alter table generation_requests alter column app_id drop default, alter column max_iterations set default 5;
  alter table generation_requests alter column app_id set default '00000000-0000-0000-0000-000000000000';
  alter table generation_requests alter column prompt drop not null, alter column initial_prompt type varchar(1000);
  alter table iteration_snapshots replica identity nothing, add column later int;
  grant select, insert, update, delete, truncate, references, trigger on iteration_snapshots to anon;
  grant insert on generation_requests to supabase_auth_admin;
  alter table generation_requests drop constraint generation_requests_github_url_is_https_check;
  alter table generation_requests add constraint generation_requests_github_url_is_https_check check (github_url ~ '^http');
`

const changed = [
  'check_differs public.generation_requests constraint generation_requests_github_url_is_https_check',
  'column_differs public.generation_requests.app_id default',
  'column_differs public.generation_requests.initial_prompt type',
  'column_differs public.generation_requests.max_iterations default',
  'column_differs public.generation_requests.prompt not null',
  'column_extra public.iteration_snapshots.later',
  'index_extra public."IDX_created"',
  'index_extra public."IDX_later"',
  'privilege_extra TABLE public.generation_requests supabase_auth_admin',
  'privilege_extra TABLE public.iteration_snapshots anon',
  'table_differs public.iteration_snapshots replica identity',
]

t.test('a migrated database', async (t) => {
  const db = await createTestDatabase(t)
  t.strictSame(await command(db), { code: 0, is_right: true, findings: [] }, 'is what schema.sql says')

  await db.owner.query(mutations)
  await withClient(clusterAdmin(db.name), (admin) => admin.query(powers))
  const findings = await verify(db.target)
  t.strictSame(list(findings, false), mutated, 'with each thing that was changed, one line an object')
  t.strictSame(list(findings, true), strangers, 'and strangers beside it')
  const widened = findings.find(({ object }) => object === 'public.apps policy select_own')?.what
  t.match(widened, /USING \(\(user_id = .*USING \(true\)$/, 'in the clause that differs')

  for (const { remedy = '' } of findings) if (remedy.endsWith(';')) await db.owner.query(remedy)
  const left = mutated.filter((one) => !mendable.test(one)).concat('comment_missing comment on index public.apps_user_id_created_at_id_idx')
  t.strictSame(list(await verify(db.target), false), left.sort(), 'and its SQL mends it')
})

t.test('a database that was adopted', async (t) => {
  const db = await createEmptyDatabase(t)
  await db.owner.query(live)
  t.equal((await adopt(db.target)).outcome, 'adopted')

  const early = await command(db)
  t.match(early, { code: 1, is_right: false, findings: [{ code: 'migration_pending', object: '20261122100100' }] })
  t.ok(early.findings.every(({ code }) => code === 'migration_pending'), 'is not compared before it is migrated')

  await run(db, baseline, expanded)
  await contractQuickly(db)
  const findings = await examine(db)
  t.strictSame(list(findings, false), [], 'is what schema.sql says')
  t.strictSame(list(findings, true), adopted, 'but for what was accepted')

  await db.owner.query(later)
  t.strictSame(list(await examine(db), false), changed, 'and what changed since is no part of that')
})

t.test('a database that cannot be dumped', async (t) => {
  const db = await createTestDatabase(t)
  await withClient(clusterAdmin(db.name), (admin) => admin.query('alter table public.apps owner to current_user'))
  const findings = await withClient(db.target, (client) =>
    examineSchema(client, { ...db.target, pg: { ...db.target.pg, port: 1 } }),
  )
  t.strictSame(list(findings, false), ['owner_differs public.apps', `schema_unread ${db.target.label}`])
})

t.test('a table is taken apart as pg_dump of any major writes it', async (t) => {
  const parts = readParts(readSchemaText(odd))
  const aspects = Object.fromEntries([...parts].map(([object, part]) => [object, Object.fromEntries(part.aspects)]))
  t.strictSame(aspects, {
    'public.odd': { '': 'UNLOGGED TABLE\nINHERITS (public.parent)', 'options': 'fillfactor=70', 'replica identity': 'FULL' },
    'public.odd.a, (b': { type: 'numeric(10,2)', default: '1.5', 'not null': 'NOT NULL', storage: 'SET STATISTICS 100, SET STORAGE MAIN' },
    'public.odd.named': { type: 'text', 'default': `'it''s, (so'::text`, 'not null': 'NOT NULL', collation: 'COLLATE pg_catalog."C"' },
    'public.odd.nothing': { type: 'character varying(20)' },
    'public.odd.twice': { type: 'integer', default: 'GENERATED ALWAYS AS ((named IS NOT NULL)) STORED' },
    'public.odd constraint either': { '': `CHECK (\nCASE\n    WHEN (a = 1) THEN true\n    ELSE (named = '),'::text)\nEND)` },
    'public.odd constraint later': { '': 'CHECK ((twice > 0))' },
  })
})

const odd = `--
-- Name: odd; Type: TABLE; Schema: public; Owner: -
--

CREATE UNLOGGED TABLE public.odd (
    "a, (b" numeric(10,2) DEFAULT 1.5 NOT NULL,
    named text DEFAULT 'it''s, (so'::text CONSTRAINT "its name" NOT NULL COLLATE pg_catalog."C",
    nothing character varying(20) DEFAULT NULL::character varying,
    twice integer GENERATED ALWAYS AS ((named IS NOT NULL)) STORED,
    CONSTRAINT either CHECK (
CASE
    WHEN (a = 1) THEN true
    ELSE (named = '),'::text)
END)
)
INHERITS (public.parent)
WITH (fillfactor='70');
ALTER TABLE ONLY public.odd ALTER COLUMN "a, (b" SET STATISTICS 100;
ALTER TABLE ONLY public.odd ALTER COLUMN "a, (b" SET STORAGE MAIN;

ALTER TABLE ONLY public.odd REPLICA IDENTITY FULL;

ALTER TABLE ONLY public.odd FORCE ROW LEVEL SECURITY;


--
-- Name: odd later; Type: CHECK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE public.odd
    ADD CONSTRAINT later CHECK ((twice > 0)) NOT VALID;
`
