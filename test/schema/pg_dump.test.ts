import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'
import { withClient } from '../../scripts/core/connect.ts'
import { parseDatabaseUrl, withDatabase } from '../../scripts/core/target.ts'
import { Failure } from '../../scripts/core/failure.ts'
import { dumpSchema } from '../../scripts/schema/dump/pg-dump.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'
import { clusterAdmin, loginTo } from '../fixtures/server.ts'

const schema = `
  create schema private;
  comment on schema private is 'Not for API roles.';
  comment on schema public is 'Of the platform.';
  grant usage on schema private to service_role;
  alter default privileges revoke execute on functions from public;
  alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
  alter default privileges in schema private grant select on tables to service_role, authenticated;

  create type public.mood as enum ('calm', 'cross');
  create domain public.sealed as text constraint sealed_check check (value like 'sealed.%');
  create table public.pets (
    id bigint generated always as identity constraint pets_pkey primary key,
    user_id uuid not null constraint pets_user_id_fkey references auth.users on delete cascade,
    mood public.mood not null default 'calm',
    secret public.sealed
  );
  comment on table public.pets is 'It''s "quoted", and has
two lines.';
  comment on column public.pets.secret is 'Sealed.';
  create index pets_cross_idx on public.pets (user_id) where mood = 'cross';
  create table private.notes (id int constraint notes_pkey primary key);
  create view public.moods with (security_invoker) as select mood from public.pets;

  create function private.tg_pets__calm() returns trigger language plpgsql set search_path = '' as $$
  begin
    -- ${'long '.repeat(4000)}é
    new.mood := 'calm';
    return new;
  end $$;
  create trigger _100_calm before insert on public.pets for each row execute function private.tg_pets__calm();
  create publication pets_changes for table public.pets (id, mood);
`
const grants = [
  'grant execute on function private.tg_pets__calm() to service_role, authenticated',
  'grant select (id, mood), insert (mood) on public.pets to authenticated, anon',
  'grant all on public.pets to service_role',
]
const policies = `
  alter table public.pets enable row level security;
  alter table public.pets force row level security;
  create policy select_own on public.pets for select to service_role, authenticated
    using (user_id = (select auth.uid()));
  create policy "insert TO own" on public.pets as restrictive for insert to authenticated, anon
    with check (secret <> ' TO b, a');
  create policy delete_some on public.pets for delete using (secret <> ' TO b, a');
`
const foreignObjects = `
  create schema elsewhere;
  create table elsewhere.hidden (id int);
  create publication everything for all tables;
  alter default privileges in schema public grant all on tables to anon;
  create extension pgcrypto with schema extensions;
`

test('a dump contains the schema of its role, and is the same in every database', async (t) => {
  const source = await createEmptyDatabase(t)
  await source.owner.query([schema, ...grants, policies].join(';\n'))
  const before = await dumpSchema(source.target)
  await withClient(clusterAdmin(source.name), (admin) => admin.query(foreignObjects))
  const dump = await dumpSchema(source.target)

  t.test('it contains the objects of its role with their privileges', async (t) => {
    for (const line of [
      `COMMENT ON SCHEMA private IS 'Not for API roles.';`,
      `COMMENT ON COLUMN public.pets.secret IS 'Sealed.';`,
      'CREATE SCHEMA private;',
      `CREATE INDEX pets_cross_idx ON public.pets USING btree (user_id) WHERE (mood = 'cross'::public.mood);`,
      'ALTER TABLE ONLY public.pets FORCE ROW LEVEL SECURITY;',
      'ALTER PUBLICATION pets_changes ADD TABLE ONLY public.pets (id, mood);',
      'GRANT SELECT(mood),INSERT(mood) ON TABLE public.pets TO anon;',
      'REVOKE ALL ON FUNCTION private.tg_pets__calm() FROM PUBLIC;',
      'ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;',
      'ALTER DEFAULT PRIVILEGES IN SCHEMA private GRANT SELECT ON TABLES TO service_role;',
      `CREATE POLICY delete_some ON public.pets FOR DELETE USING (((secret)::text <> ' TO b, a'::text));`,
      '-- Name: pets pets_pkey; Type: CONSTRAINT; Schema: public; Owner: -',
    ]) {
      t.ok(dump.split('\n').includes(line), line)
    }
  })

  t.test('it contains no objects of other roles, no machine details and no psql commands', async (t) => {
    t.equal(dump, before)
    t.notMatch(dump, /SCHEMA public IS|CREATE SCHEMA public|OWNER TO|FOR ROLE/)
    t.notMatch(dump, /^\\|^-- Dumped|transaction_timeout/m)
  })

  for (const privileges of ['until_2026', 'since_2026'] as const) {
    t.test(`loaded into a project with default privileges ${privileges}, it gives the same dump`, async (t) => {
      const copy = await createEmptyDatabase(t, privileges)
      const loader = await copy.login('postgres')
      await loader.query(dump)
      t.equal(await dumpSchema(copy.target), dump)
    })
  }

  t.test('it does not depend on the order of grants and roles', async (t) => {
    const other = await createEmptyDatabase(t)
    const reversed = grants.toReversed().map((grant) => grant.replace(/(\w+), (\w+)$/, '$2, $1'))
    await other.owner.query([schema, ...reversed, policies].join(';\n'))
    t.equal(await dumpSchema(other.target), dump)
    await other.owner.query('grant update (mood) on public.pets to authenticated')
    t.not(await dumpSchema(other.target), dump, 'an additional grant changes it')
  })

  t.test('it can be limited to other schemas', async (t) => {
    const text = await dumpSchema(source.target, { schemas: ['private'] })
    t.match(text, /CREATE TABLE private\.notes/)
    t.notMatch(text, /CREATE TABLE public\./)
  })

  t.test('dumps run in parallel and do not block the event loop', async (t) => {
    let ticks = 0
    const timer = setInterval(() => (ticks += 1), 10)
    const dumps = await Promise.all([dumpSchema(source.target), dumpSchema(source.target)])
    clearInterval(timer)
    t.strictSame(dumps, [dump, dump])
    t.ok(ticks > 5, 'timers fire during the dumps')
  })

  t.test('a failed dump throws a Failure of one line and releases its resources', async (t) => {
    const noServer = parseDatabaseUrl('postgres://postgres@127.0.0.1:1/nothing')
    await t.rejects(dumpSchema(noServer), Failure, 'without a server')
    await t.rejects(dumpSchema(withDatabase(source.target, 'no_such_database')), Failure, 'without the database')

    const denied: unknown = await dumpSchema(loginTo(source.name, 'authenticator')).catch((error: unknown) => error)
    t.match(denied, { name: 'Failure', message: /permission denied/ }, 'without the right to read the schema')
    t.notMatch((denied as Failure).message, /\n/)

    await source.owner.query('begin; lock table public.pets')
    const interrupted = dumpSchema(source.target)
    const rejected = t.rejects(interrupted, Failure, 'when the connection is lost')
    await withClient(clusterAdmin(), async (admin) => {
      const kill = `
        select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`
      while ((await admin.query(kill, [source.name])).rowCount === 0) await sleep(20)
    })
    await rejected
    await source.owner.query('rollback')

    t.equal(process.exitCode, undefined)
    t.notOk(process.getActiveResourcesInfo().includes('MessagePort'))
    t.equal(await dumpSchema(source.target), dump, 'the next dump succeeds')
  })
})
