-- Drops the compatibility triggers, now that the writers of the previous schema are stopped and every row has its owner.
-- The functions stay for the undo. Arrivals are no longer recorded; deletions and changes still are.
-- Locks: ACCESS EXCLUSIVE, briefly, on one table after the other, parent first. Undo: creates the triggers again.

-- migrate:up
set local lock_timeout = '3s';

drop trigger _100_follow_old_writer on public.generation_requests;
drop trigger _900_record_arrival on public.generation_requests;
drop trigger _100_follow_old_writer on public.iteration_snapshots;
drop trigger _900_record_arrival on public.iteration_snapshots;

-- migrate:down
set local lock_timeout = '3s';

create trigger _100_follow_old_writer before insert or update of user_id, app_id on public.generation_requests
  for each row when (coalesce(current_setting('leo.is_upgrade', true), '') <> 'on')
  execute function private.tg_generation_requests__follow_old_writer();
create trigger _100_follow_old_writer before insert on public.iteration_snapshots
  for each row when (new.user_id is null)
  execute function private.tg_iteration_snapshots__follow_old_writer();
create trigger _900_record_arrival after insert on public.generation_requests
  for each row execute function private.tg__record_change();
create trigger _900_record_arrival after insert on public.iteration_snapshots
  for each row execute function private.tg__record_change();
