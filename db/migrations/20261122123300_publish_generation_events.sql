-- Adds the timeline to the publication `supabase_realtime`, from which hosted Supabase sends changes to the users who can
-- read them. Rows are inserted, and deleted with their generation, so the primary key is a sufficient replica identity.
-- A publication FOR ALL TABLES, of the schema, or with the table in it is left as it is; a database without the
-- publication is not hosted Supabase. If another role owns it, that role has to add the table, then migrate again.
-- Deliberately absent: generation_requests, each update of which would be sent whole, with its prompts.
-- Locks: SHARE UPDATE EXCLUSIVE, briefly. Undo: removes the table if it was added by name.

-- migrate:up
set local lock_timeout = '3s';

do $$
begin
  if exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime')
    and not exists (
      select from pg_catalog.pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'generation_events'
    )
  then
    alter publication supabase_realtime add table public.generation_events;
  end if;
end
$$;

-- migrate:down
set local lock_timeout = '3s';

do $$
begin
  if exists (
    select
    from pg_catalog.pg_publication_rel as r
    join pg_catalog.pg_publication as p on p.oid = r.prpubid
    where p.pubname = 'supabase_realtime' and r.prrelid = 'public.generation_events'::regclass
  ) then
    alter publication supabase_realtime drop table public.generation_events;
  end if;
end
$$;
