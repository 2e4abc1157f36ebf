-- Creates the list of all SQLSTATEs of this schema. db/client/error-codes.ts has the same list; a test compares the two.
-- The first letter L is outside the classes of PostgreSQL and of the standard. Constraint names are the other half of the
-- API: a violation of a CHECK, UNIQUE or foreign key has no code here.
-- Locks: none. Undo: drops the table.

-- migrate:up
set local lock_timeout = '3s';

create table private.error_codes (
  code text,
  name text not null,
  meaning text not null,
  constraint error_codes_pkey primary key (code),
  constraint error_codes_name_key unique (name),
  constraint error_codes_code_form_check check (code ~ '^LEO[0-9]{2}$')
);

comment on table private.error_codes is 'Every SQLSTATE that this schema raises by itself.';
comment on column private.error_codes.code is 'The SQLSTATE.';
comment on column private.error_codes.name is 'What TypeScript calls it.';
comment on column private.error_codes.meaning is 'What happened, for people.';

insert into private.error_codes (code, name, meaning)
values
  ('LEO01', 'illegal_status_change', 'the status machine has no such move'),
  ('LEO02', 'status_change_reserved', 'only a service may make this move'),
  ('LEO03', 'retries_used_up', 'the user has retried this generation as often as is allowed'),
  ('LEO04', 'queue_full', 'the user has as many queued generations as are allowed'),
  ('LEO05', 'too_many_iterations', 'the user asked for more iterations than are allowed'),
  ('LEO06', 'column_frozen', 'the column never changes once the row is there'),
  ('LEO07', 'sealed_value_not_declared', 'a value in sealed form was said not to be encrypted'),
  ('LEO08', 'rows_would_be_lost', 'undoing the migration would lose rows or values'),
  ('LEO09', 'role_not_as_expected', 'a role of the cluster is not what this schema needs'),
  ('LEO10', 'upgrade_not_ready', 'the upgrade of a live database waits for its operator'),
  ('LEO11', 'wrong_isolation_level', 'users queue generations in READ COMMITTED transactions only'),
  ('LEO14', 'app_not_found', 'there is no such app'),
  ('LEO15', 'place_not_releasing', 'the app has no place that waits to be wiped: it is free already, or still in use'),
  ('LEO16', 'claim_out_of_range', 'a claim takes 1 to 100 rows, for a second to a day'),
  ('LEO17', 'unknown_iteration', 'the generation has no such iteration, or no generation is named'),
  ('LEO18', 'unknown_app', 'the app is not the one of the generation, or not an app of the user'),
  ('LEO19', 'correction_differs', 'a correction is for the same app, generation, iteration, kind and model as what it corrects');

-- migrate:down
set local lock_timeout = '3s';

drop table private.error_codes;
