-- Live progress: hosted Supabase's Realtime sends what the publication `supabase_realtime` publishes, to those whom row
-- security lets read it, so a user's page follows a generation without asking again and again. Rows are only inserted
-- and deleted with their generation: the primary key is identity enough.
-- A publication FOR ALL TABLES, or of the schema, or one that has the table, needs nothing and refuses some of it; a
-- database without it is no hosted Supabase. What another role owns PostgreSQL refuses to change: let that role add the
-- table, then migrate again.
-- Deliberately absent: generation_requests, whose every update would be sent whole, prompts included.
-- Locks: SHARE UPDATE EXCLUSIVE for an instant. Undo: takes the table out where it stands by name.

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
