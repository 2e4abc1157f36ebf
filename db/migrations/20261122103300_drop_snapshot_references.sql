-- Expand: a foreign key from the live snapshots to the live requests goes, whatever it is called: the baseline has none,
-- and the backfill moves rows to quarantine one table after the other. The contract step brings the one that carries
-- the owner.
-- Locks: ACCESS EXCLUSIVE on both tables for an instant where there is such a key, parent first. Undo: the key is not
-- known any more and not brought back.

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
