-- Expand: drops a foreign key from the live snapshots to the live requests, under any name. The baseline has none, and the
-- backfill moves rows of the two tables to quarantine separately. The contract step creates the key with the owner in it.
-- Locks: ACCESS EXCLUSIVE on both tables, parent first, briefly, if there is such a key. Undo: does not restore the key.

-- migrate:up
set local lock_timeout = '3s';

do $$
declare
  v_name name;
begin
  for v_name in
    select c.conname
    from pg_catalog.pg_constraint as c
    where c.contype = 'f'
      and c.conrelid = 'public.iteration_snapshots'::regclass and c.confrelid = 'public.generation_requests'::regclass
  loop
    lock table public.generation_requests in access exclusive mode;
    execute format('alter table public.iteration_snapshots drop constraint %I', v_name);
  end loop;
end
$$;

-- migrate:down
select 'a key that was dropped is not brought back';
