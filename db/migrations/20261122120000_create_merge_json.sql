-- What a partial update of a jsonb document means: RFC 7396, JSON Merge Patch. Objects are merged member by member, null
-- removes a member, everything else (arrays too) replaces what was there.
-- The recursion is bounded: below the last level the patch stands as it came, so a column that keeps the result has to
-- refuse what is deeper.
-- Locks: none. Undo: drops the function; its callers are gone by then.

-- migrate:up
set local lock_timeout = '3s';

create function private.merge_json(p_target jsonb, p_patch jsonb, p_levels integer default 32)
returns jsonb
language plpgsql
immutable
strict
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_target constant jsonb := case jsonb_typeof(p_target) when 'object' then p_target else '{}' end;
begin
  if p_levels <= 0 or jsonb_typeof(p_patch) <> 'object' then
    return p_patch;
  end if;

  return coalesce(
    (
      select jsonb_object_agg(m.key, m.value)
      from (
        select t.key, t.value
        from jsonb_each(v_target) as t
        where not p_patch ? t.key
        union all
        select
          p.key,
          case jsonb_typeof(p.value)
            when 'object' then private.merge_json(coalesce(v_target -> p.key, '{}'), p.value, p_levels - 1)
            else p.value
          end
        from jsonb_each(p_patch) as p
        where jsonb_typeof(p.value) <> 'null'
      ) as m
    ),
    '{}'
  );
end
$$;

comment on function private.merge_json(jsonb, jsonb, integer) is
  'RFC 7396: the target with the patch merged in, down to so many levels of objects.';

-- migrate:down
set local lock_timeout = '3s';

drop function private.merge_json(jsonb, jsonb, integer);
