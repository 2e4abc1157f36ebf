-- Creates what a worker calls while it has a generation: the heartbeat, and the record of an iteration.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

-- A heartbeat updates the lease only, a narrow row without further indexes. It reads the generation without a lock, so its
-- answer can be outdated at once; the next write is fenced by the attempt. An expired lease that still exists is renewed.
create function private.prolong_generation_lease(p_id integer, p_attempt integer, p_lease interval)
returns timestamptz
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
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

comment on function private.prolong_generation_lease(integer, integer, interval) is
  'The heartbeat: renews the lease of this attempt and returns when it expires. Null: this attempt has lost the generation. Raises LEO16.';

grant execute on function private.prolong_generation_lease(integer, integer, interval) to leo_worker;

-- A worker that gets no answer and repeats the call stores two snapshots of the iteration.
create function private.record_iteration(
  p_id integer,
  p_attempt integer,
  p_iteration_number integer,
  p_snapshot_type public.snapshot_type,
  p_files_snapshot text,
  p_prompt_used text default null,
  p_metadata jsonb default null,
  p_session_id text default null
)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
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

comment on function private.record_iteration(integer, integer, integer, public.snapshot_type, text, text, jsonb, text) is
  'Stores the snapshot of an iteration, and the session to resume. Returns the id of the snapshot; null, without a change: this attempt has lost the generation.';

grant execute on function private.record_iteration(integer, integer, integer, public.snapshot_type, text, text, jsonb, text)
  to leo_worker;

-- migrate:down
set local lock_timeout = '3s';

drop function private.record_iteration(integer, integer, integer, public.snapshot_type, text, text, jsonb, text);
drop function private.prolong_generation_lease(integer, integer, interval);
