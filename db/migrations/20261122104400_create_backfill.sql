-- Expand: creates the backfill, one batch per call; the script, a rerun and the contract step call the same functions.
-- Each call runs in its caller's transaction, records its position and can be repeated; concurrent calls wait on the row
-- in upgrade_progress.
--   contested  app ids that several users claim
--   users      apps and their names, user by user
--   requests   values that a check would refuse; rows without a known owner
--   snapshots  the owner; duplicates; snapshots without a generation
-- A row that another session has locked is skipped; the next sweep or the contract step processes it.
-- Locks: none. Undo: drops the functions.

-- migrate:up
set local lock_timeout = '3s';

create function private.take_progress(p_phase text)
returns private.upgrade_progress
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_progress private.upgrade_progress;
begin
  insert into private.upgrade_progress (phase) values (p_phase) on conflict do nothing;
  select * into strict v_progress from private.upgrade_progress where phase = p_phase for update;
  return v_progress;
end
$$;

comment on function private.take_progress(text) is 'The progress of the phase, locked until the end of the transaction.';

create function private.backfill_contested()
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $$
declare
  v_found integer;
begin
  perform private.take_progress('contested');
  insert into private.upgrade_owners (app_id)
  select r.app_id
  from public.generation_requests as r
  where r.app_id is not null
    and exists (select from auth.users as u where u.id = r.user_id)
    and not exists (select from public.apps as a where a.id = r.app_id)
  group by r.app_id
  having min(r.user_id::text) <> max(r.user_id::text)
  on conflict do nothing;
  get diagnostics v_found = row_count;
  update private.upgrade_progress set is_finished = true where phase = 'contested';
  return v_found;
end
$$;

comment on function private.backfill_contested() is 'Records the app ids that several users claim; the operator chooses the owners in upgrade_owners. Returns how many are new.';

create function private.backfill_users(p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
-- A batch is small: look its users up by key instead of reading all users that are processed.
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_progress private.upgrade_progress := private.take_progress('users');
  v_users uuid[];
  v_locked uuid[];
begin
  select array_agg(u.user_id order by u.user_id) into v_users
  from (
    select distinct r.user_id
    from public.generation_requests as r
    where exists (select from auth.users as known where known.id = r.user_id)
      and (v_progress.position is null or r.user_id > v_progress.position::uuid)
      and not exists (select from private.upgrade_users as named where named.user_id = r.user_id)
    order by r.user_id
    limit p_limit
  ) as u;

  if v_users is null then
    -- The end of a sweep. Users that were skipped, because one of their writers held the lock, get another one.
    update private.upgrade_progress
    set position = null,
        is_finished = not exists (
          select from public.generation_requests as r
          where exists (select from auth.users as known where known.id = r.user_id)
            and not exists (select from private.upgrade_users as named where named.user_id = r.user_id)
        )
    where phase = 'users';
    return 0;
  end if;

  select array_agg(u) into v_locked
  from unnest(v_users) as u
  where pg_try_advisory_xact_lock(private.user_lock_key(u));

  -- Separate statements, so that they see what the previous holders of the locks committed.
  perform private.name_apps(v_locked);
  insert into private.upgrade_users (user_id)
  select u.id from auth.users as u where u.id = any (v_locked)
  on conflict do nothing;
  update private.upgrade_progress
  set position = v_users[cardinality(v_users)]::text, done = done + cardinality(v_users)
  where phase = 'users';
  return cardinality(v_users);
end
$$;

comment on function private.backfill_users(integer) is 'Names the apps of the next users. Returns the number of users processed, 0 at the end of a sweep.';

create function private.https_url(p_url text)
returns text
language sql
immutable
strict
set search_path = pg_catalog, pg_temp
as $$
  select url
  from (select regexp_replace(btrim(p_url, E' \t\r\n'), '^http://', 'https://', 'i')) as repaired (url)
  where private.is_https_url(url)
$$;

comment on function private.https_url(text) is 'The URL with https; null if it is not a valid https URL.';

create function private.backfill_requests(p_limit integer, p_is_last boolean default false, p_stale_after interval default null)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
-- From the batch to its parents, by key, in the written order of the joins: a batch must not read a whole parent table,
-- and the statistics are rarely up to date here.
set enable_hashjoin = off
set enable_mergejoin = off
set join_collapse_limit = 1
as $$
declare
  v_progress private.upgrade_progress := private.take_progress('requests');
  v_after integer := coalesce(v_progress.position::integer, -2147483648);
  v_last integer;
  v_count integer;
  v_passed_over integer;
begin
  perform set_config('leo.is_upgrade', 'on', true);
  select max(page.id), count(*) into v_last, v_count
  from (select r.id from public.generation_requests as r where r.id > v_after order by r.id limit p_limit) as page;
  if v_count = 0 then
    update private.upgrade_progress set position = null, is_finished = true where phase = 'requests';
    return 0;
  end if;

  -- Reads each row and its parents once. Without a lock: most rows are not changed.
  with judged as materialized (
    select r.id,
      -- Rows in progress stay in the table, where their writer expects them, except in the last run.
      p_is_last or r.status is null or r.status not in ('queued', 'generating', 'paused')
        or r.updated_at < now() - interval '1 day' as is_at_rest,
      case
        when r.user_id is null then 'user_id is null'
        when u.id is null then 'user_id is not in auth.users'
        when p_is_last and o.app_id is not null and o.user_id is null
          then 'several users claim app_id, and no owner is chosen'
        when o.user_id <> r.user_id then 'app_id belongs to another user, as the operator chose'
        when a.user_id <> r.user_id then 'app_id belongs to another user'
      end as reason,
      -- A row that can still be quarantined is not changed.
      a.user_id = r.user_id and not coalesce(
        r.app_id is not null and r.prompt is not null
        and (r.app_name collate "C" ~ '[0-9A-Za-z]' or private.visible_name(r.app_name) is not null)
        and r.status is not null and r.generation_type is not null and r.mode is not null
        and r.max_iterations > 0 and r.current_iteration between 0 and r.max_iterations
        and r.created_at is not null and r.updated_at is not null
        and (r.completed_at is not null) = (r.status in ('completed', 'failed', 'cancelled'))
        and (r.completed_at is null or r.completed_at >= r.created_at)
        and (r.github_url is null or private.is_https_url(r.github_url))
        and (r.deployment_url is null or private.is_https_url(r.deployment_url))
        and (p_stale_after is null or r.status <> 'generating' or r.updated_at >= now() - p_stale_after),
        false
      ) as is_dirty
    from public.generation_requests as r
    left join auth.users as u on u.id = r.user_id
    left join private.upgrade_owners as o on o.app_id = r.app_id
    left join public.apps as a on a.id = coalesce(r.app_id, private.app_id_of_request(r.id))
    where r.id > v_after and r.id <= v_last
  ),
  lost as (
    select r.id, j.reason
    from judged as j
    join public.generation_requests as r on r.id = j.id
    where j.reason is not null and j.is_at_rest
    for update of r skip locked
  ),
  gone as (
    delete from public.generation_requests as r using lost where r.id = lost.id returning r.*, lost.reason as lost_because
  ),
  kept as (
    insert into private.quarantine (table_name, row_id, user_id, reason, content)
    select
      'generation_requests', gone.id, (select u.id from auth.users as u where u.id = gone.user_id), gone.lost_because,
      to_jsonb(gone) - 'lost_because'
    from gone
  ),
  dirty as (
    select r.*
    from judged as j
    join public.generation_requests as r on r.id = j.id
    where j.reason is null and j.is_dirty
    for update of r skip locked
  ),
  repaired as (
    update public.generation_requests as r
    set app_id = coalesce(d.app_id, private.app_id_of_request(d.id)),
        app_name = case when private.visible_name(d.app_name) is null then 'Untitled app' else d.app_name end,
        prompt = coalesce(d.prompt, ''),
        status = now_is.status,
        generation_type = coalesce(d.generation_type, 'new'),
        mode = coalesce(d.mode, 'autonomous'),
        current_iteration = took.iterations,
        -- At least the iterations that it took; the column's default if the limit is not valid.
        max_iterations = greatest(case when d.max_iterations > 0 then d.max_iterations else 10 end, took.iterations),
        created_at = times.created_at,
        updated_at = times.updated_at,
        completed_at = case
          when now_is.status in ('completed', 'failed', 'cancelled')
            then greatest(coalesce(d.completed_at, times.updated_at), times.created_at)
        end,
        error_message = case when d.status = 'generating' and now_is.status = 'failed'
          then coalesce(d.error_message, 'No worker has updated it for ' || p_stale_after || '.')
          else d.error_message end,
        github_url = private.https_url(d.github_url),
        deployment_url = private.https_url(d.deployment_url)
    from dirty as d
    cross join lateral (
      select
        coalesce(d.created_at, d.updated_at, d.completed_at, now()) as created_at,
        coalesce(d.updated_at, d.completed_at, d.created_at, now()) as updated_at,
        d.status = 'generating' and coalesce(d.updated_at, d.created_at, '-infinity') < now() - p_stale_after as is_stale
    ) as times
    cross join lateral (
      select case
        when times.is_stale and exists (
          select from public.iteration_snapshots as s where s.generation_request_id = d.id and s.files_snapshot is not null
        ) then 'paused'
        when times.is_stale then 'failed'
        when d.status is not null then d.status
        when d.completed_at is not null and d.error_message is null then 'completed'
        else 'failed'
      end::public.generation_status as status
    ) as now_is
    cross join lateral (select greatest(d.current_iteration, 0) as iterations) as took
    where r.id = d.id
    returning r.id, r.user_id, to_jsonb(d) as before, to_jsonb(r) as after
  ),
  logged as (
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    select
      'generation_requests', m.id, (select u.id from auth.users as u where u.id = m.user_id), b.key, b.value, m.after ->> b.key,
      case b.key
        when 'app_id' then 'it was null: an id derived from the id of the request'
        when 'app_name' then 'no visible character'
        when 'status' then case when b.value is null then 'it was null' else 'no worker has updated it for too long' end
        when 'max_iterations' then 'missing, or less than it took'
        when 'error_message' then 'no worker has updated it for too long'
        when 'completed_at' then 'set exactly when it is over, and not before it began'
        when 'github_url' then 'not an https URL'
        when 'deployment_url' then 'not an https URL'
        else 'null or out of range'
      end
    from repaired as m
    cross join lateral jsonb_each_text(m.before) as b
    where m.after ->> b.key is distinct from b.value
  )
  select
    (select count(*) from judged as j where (j.reason is not null and j.is_at_rest) or (j.reason is null and j.is_dirty))
    - (select count(*) from lost) - (select count(*) from dirty)
  into v_passed_over;

  update private.upgrade_progress
  set position = v_last::text, done = done + v_count,
      passed_over = case when v_progress.position is null then 0 else passed_over end + v_passed_over
  where phase = 'requests';
  return v_count;
end
$$;

comment on function private.backfill_requests(integer, boolean, interval) is
  'Repairs the next requests, or moves them to quarantine. Pauses or fails running generations without an update for p_stale_after. Returns the number of requests processed, 0 at the end.';

create function private.metadata_object(p_metadata jsonb)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select case when jsonb_typeof(p_metadata) <> 'object' then jsonb_build_object('value', p_metadata) else p_metadata end
$$;

comment on function private.metadata_object(jsonb) is 'The metadata as an object; any other value becomes its member `value`.';

create function private.backfill_snapshots(p_limit integer)
returns integer
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
-- From the batch to its parents, by key, in the written order of the joins: a batch must not read a whole parent table,
-- and the statistics are rarely up to date here.
set enable_hashjoin = off
set enable_mergejoin = off
set join_collapse_limit = 1
as $$
declare
  v_progress private.upgrade_progress := private.take_progress('snapshots');
  v_after integer := coalesce(v_progress.position::integer, -2147483648);
  v_last integer;
  v_count integer;
  v_passed_over integer;
begin
  perform set_config('leo.is_upgrade', 'on', true);
  select max(page.id), count(*) into v_last, v_count
  from (select s.id from public.iteration_snapshots as s where s.id > v_after order by s.id limit p_limit) as page;
  if v_count = 0 then
    update private.upgrade_progress set position = null, is_finished = true where phase = 'snapshots';
    return 0;
  end if;

  -- Reads each row and its parents once, which costs as much as the update. Without a lock: after the first sweep most
  -- rows are not changed.
  with judged as materialized (
    select s.id, r.user_id, r.created_at, a.id is not null and s.user_id is distinct from r.user_id as is_ownerless,
      a.id is not null and (s.snapshot_type is null or s."timestamp" is null or jsonb_typeof(s.metadata) <> 'object') as is_odd,
      case
        when s.generation_request_id is null then 'generation_request_id is null'
        when r.id is null then 'its generation does not exist'
        -- Its generation can still be quarantined, with its snapshots.
        when a.id is null then null
        when s.iteration_number is null or s.iteration_number < 0 then 'iteration_number is missing or negative'
        when exists (
          select from public.iteration_snapshots as earlier
          where earlier.generation_request_id = s.generation_request_id and earlier.iteration_number = s.iteration_number
            and coalesce(earlier.snapshot_type, 'automatic') = coalesce(s.snapshot_type, 'automatic') and earlier.id < s.id
            and earlier.files_snapshot is not distinct from s.files_snapshot
            and earlier.prompt_used is not distinct from s.prompt_used
            and private.metadata_object(earlier.metadata) is not distinct from private.metadata_object(s.metadata)
        ) then 'the same as an earlier snapshot'
      end as reason
    from public.iteration_snapshots as s
    left join public.generation_requests as r on r.id = s.generation_request_id
    left join public.apps as a on a.id = r.app_id and a.user_id = r.user_id
    where s.id > v_after and s.id <= v_last
  ),
  -- The current versions, in case another session has updated them since.
  held as materialized (
    select s.id, s.snapshot_type, s."timestamp", s.metadata, j.user_id, j.created_at, j.is_odd, j.reason
    from judged as j
    join public.iteration_snapshots as s on s.id = j.id
    where j.reason is not null or j.is_ownerless or j.is_odd
    for no key update of s skip locked
  ),
  gone as (
    delete from public.iteration_snapshots as s using held as h
    where s.id = h.id and h.reason is not null
    returning s.*, h.user_id as owner_id, h.reason as lost_because
  ),
  lost as (
    insert into private.quarantine (table_name, row_id, user_id, reason, content)
    select
      'iteration_snapshots', gone.id, coalesce(u.id, q.user_id),
      case when q.id is null then gone.lost_because else 'its generation is in quarantine' end,
      to_jsonb(gone) - 'lost_because' - 'owner_id'
    from gone
    left join auth.users as u on u.id = gone.owner_id
    left join private.quarantine as q on q.table_name = 'generation_requests' and q.row_id = gone.generation_request_id
  ),
  owned as (
    update public.iteration_snapshots as s
    set user_id = h.user_id
    from held as h
    where s.id = h.id and h.reason is null and h.is_odd is not true
  ),
  -- Including the owner: a second update would write the row and its index entries again.
  repaired as (
    update public.iteration_snapshots as s
    set user_id = h.user_id,
        snapshot_type = coalesce(h.snapshot_type, 'automatic'),
        "timestamp" = coalesce(h."timestamp", h.created_at, now()),
        metadata = private.metadata_object(h.metadata)
    from held as h
    where s.id = h.id and h.reason is null and h.is_odd
    returning s.id, s.user_id, h.snapshot_type as old_type, s.snapshot_type, h."timestamp" as old_timestamp,
      s."timestamp", h.metadata as old_metadata, s.metadata
  ),
  logged as (
    insert into private.migration_log (table_name, row_id, user_id, column_name, original, replacement, reason)
    select 'iteration_snapshots', m.id, (select u.id from auth.users as u where u.id = m.user_id), changed.*
    from repaired as m
    cross join lateral (
      values
        ('snapshot_type', m.old_type::text, m.snapshot_type::text, 'it was null'),
        ('timestamp', m.old_timestamp::text, m."timestamp"::text, 'it was null: the time of its generation'),
        ('metadata', m.old_metadata::text, m.metadata::text, 'not an object: made its member `value`')
    ) as changed (column_name, original, replacement, reason)
    where changed.original is distinct from changed.replacement
  )
  select count(*) - (select count(*) from held) into v_passed_over
  from judged as j
  where j.reason is not null or j.is_ownerless or j.is_odd;

  update private.upgrade_progress
  set position = v_last::text, done = done + v_count,
      passed_over = case when v_progress.position is null then 0 else passed_over end + v_passed_over
  where phase = 'snapshots';
  return v_count;
end
$$;

comment on function private.backfill_snapshots(integer) is
  'Sets the owner of the next snapshots, or moves them to quarantine. Returns the number of snapshots processed, 0 at the end.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.backfill_snapshots(integer);
drop function private.metadata_object(jsonb);
drop function private.backfill_requests(integer, boolean, interval);
drop function private.https_url(text);
drop function private.backfill_users(integer);
drop function private.backfill_contested();
drop function private.take_progress(text);
