-- Expand: counts the old rows. One statement per table, so it has one snapshot: recorded changes that it sees are in the
-- count and are deleted; the others stay recorded.
-- Locks: none that block writes; reads each table once, about a second per million rows, and the files of 200 snapshots.
-- Undo: deletes the counts.

-- migrate:up
set local lock_timeout = '3s';

do $$
declare
  v_table private.upgrade_counts;
begin
  for v_table in select * from private.upgrade_counts loop
    execute format(
      $sql$
        with counted_already as (
          delete from private.upgrade_changes where table_name = %1$L
        )
        update private.upgrade_counts
        set (row_count, fingerprint, counted_at) = (
          select count(*), coalesce(sum(%2$s), 0), now() from public.%1$I as r where r.id <= %3$s
        )
        where table_name = %1$L
      $sql$,
      v_table.table_name, v_table.fingerprint_of, v_table.last_id
    );
  end loop;
end
$$;

insert into private.upgrade_samples (row_id, digest)
select s.id, md5(s.files_snapshot)
from (
  select distinct ceil(n * c.last_id / 200.0)::integer as id
  from private.upgrade_counts as c cross join generate_series(1, 200) as n
  where c.table_name = 'iteration_snapshots'
) as every
join public.iteration_snapshots as s on s.id = every.id
where s.files_snapshot is not null;

-- migrate:down
set local lock_timeout = '3s';

delete from private.upgrade_samples;
update private.upgrade_counts set row_count = null, fingerprint = null, counted_at = null;
