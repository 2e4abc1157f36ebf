import { test } from 'tap'
import { adviseDatabase } from '../../scripts/schema/lint/advisors.ts'
import { parseDatabaseUrl, withDatabase } from '../../scripts/core/target.ts'
import { createEmptyDatabase } from '../fixtures/database.ts'

/** Each table, view and function is named after its only violation; `sound` has none. */
const schema = `
  create table sound (id int primary key, user_id uuid not null references auth.users);
  create index sound_user_id_idx on sound (user_id);
  create policy select_own on sound for select to authenticated using (user_id = (select auth.uid()));
  create policy all_service on sound to service_role using (true) with check (true);

  create table unindexed_foreign_key (id int primary key, user_id uuid references auth.users);
  create policy select_own on unindexed_foreign_key for select to authenticated using (user_id = (select auth.uid()));

  create table no_policy (id int primary key);

  create table always_true (id int primary key);
  create policy update_own on always_true for update to authenticated using (true);

  create table bare_uid (id uuid primary key);
  create policy select_own on bare_uid for select to authenticated using (id = auth.uid());

  create table two_policies (id uuid primary key);
  create policy select_own on two_policies for select to authenticated using (id = (select auth.uid()));
  create policy select_shared on two_policies for select to authenticated using (id is null);

  create table no_primary_key (user_id uuid);
  create policy select_own on no_primary_key for select to authenticated using (user_id = (select auth.uid()));

  create table same_index_twice (id int primary key);
  create policy select_own on same_index_twice for select to authenticated using (id = 1);
  create index on same_index_twice (id, (id + 1));
  create index on same_index_twice (id, (id + 1));

  create table row_security_off (id int primary key, token text);
  grant select on row_security_off to authenticated;
  create table policy_without_row_security (id int primary key);
  create policy select_own on policy_without_row_security for select to authenticated using (id = 1);

  create view definer_view as select 1 as one from no_policy;
  grant select on definer_view to authenticated;
  create view users_view as select email from auth.users;
  grant select on users_view to anon;
  create materialized view materialized as select 1 as one;
  grant select on materialized to authenticated;

  create function no_search_path() returns int language sql as 'select 1';
  create function definer(int) returns int language sql security definer set search_path = '' as 'select 1';
  create function definer_for_services() returns int language sql security definer set search_path = '' as 'select 1';
  revoke execute on all functions in schema public from public, anon, authenticated;
  grant execute on function definer(int) to authenticated;

  do $$
  declare
    v_table text;
  begin
    for v_table in
      select tablename from pg_tables
      where schemaname = 'public' and tablename not in ('row_security_off', 'policy_without_row_security')
    loop
      execute format('alter table %I enable row level security', v_table);
    end loop;
  end
  $$;
`

test('the advisors find every violation, and fail when they cannot run', async (t) => {
  const database = await createEmptyDatabase(t)
  await database.owner.query(schema)

  const advices = await adviseDatabase(database.target)
  t.strictSame(
    advices.map(({ name, object }) => `${name} ${object}`),
    [
      'auth_rls_initplan public.bare_uid',
      'auth_users_exposed users_view',
      'authenticated_security_definer_function_executable public.definer(integer)',
      'duplicate_index public.same_index_twice',
      'function_search_path_mutable public.no_search_path',
      'materialized_view_in_api public.materialized',
      'multiple_permissive_policies public.two_policies',
      'no_primary_key public.no_primary_key',
      'policy_exists_rls_disabled public.policy_without_row_security',
      'rls_disabled_in_public public.row_security_off',
      'rls_enabled_no_policy public.no_policy',
      'rls_policy_always_true public.always_true',
      'security_definer_view public.definer_view',
      'security_definer_view public.users_view',
      'sensitive_columns_exposed public.row_security_off',
      'unindexed_foreign_keys public.unindexed_foreign_key',
    ],
    'every violation of every level is found, and nothing else',
  )
  t.strictSame(new Set(advices.map(({ level }) => level)), new Set(['error', 'info', 'warning']))

  const elsewhere = withDatabase(database.target, 'nowhere')
  await t.rejects(adviseDatabase(elsewhere), { name: 'Failure' }, 'a database that does not exist is an error')
  const closedPort = parseDatabaseUrl(database.target.dbmateUrl.replace(/:\d+\//, ':1/'))
  await t.rejects(adviseDatabase(closedPort), { name: 'Failure' }, 'a server that does not answer is an error')
  await t.rejects(
    adviseDatabase({ ...database.target, dbmateUrl: elsewhere.dbmateUrl }),
    { name: 'Failure' },
    'an error of the advisors is not reported as no findings',
  )
})
