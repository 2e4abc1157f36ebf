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

comment on table private.error_codes is 'The SQLSTATEs that this schema raises.';
comment on column private.error_codes.code is 'The SQLSTATE.';
comment on column private.error_codes.name is 'Its name in TypeScript.';
comment on column private.error_codes.meaning is 'What it means, for people.';

insert into private.error_codes (code, name, meaning)
values
  ('LEO01', 'illegal_status_change', 'the status machine does not allow this change'),
  ('LEO02', 'status_change_reserved', 'only a service may make this change'),
  ('LEO03', 'retries_used_up', 'the user has used up the retries of this generation'),
  ('LEO04', 'queue_full', 'the user has the maximum number of queued generations'),
  ('LEO05', 'too_many_iterations', 'the user requested more iterations than are allowed'),
  ('LEO06', 'column_frozen', 'the column cannot be changed'),
  ('LEO07', 'sealed_value_not_declared', 'a value in sealed form was declared as not encrypted'),
  ('LEO08', 'rows_would_be_lost', 'the rollback would delete rows or values'),
  ('LEO09', 'role_not_as_expected', 'a role of the cluster is not as this schema requires'),
  ('LEO10', 'upgrade_not_ready', 'the upgrade of a live database requires an action of its operator'),
  ('LEO11', 'wrong_isolation_level', 'users can queue generations in READ COMMITTED transactions only'),
  ('LEO14', 'app_not_found', 'the app does not exist'),
  ('LEO15', 'place_not_releasing', 'the app has no place to be wiped: it is free, or still in use'),
  ('LEO16', 'claim_out_of_range', 'a claim has a limit of 1 to 100 rows and a lease of 1 second to 1 day'),
  ('LEO17', 'unknown_iteration', 'the generation has no such iteration, or the generation is missing'),
  ('LEO18', 'unknown_app', 'the app is not the one of the generation, or not an app of the user'),
  ('LEO19', 'correction_differs', 'a correction must have the app, generation, iteration, kind and model of the row that it corrects');

-- migrate:down
set local lock_timeout = '3s';

drop table private.error_codes;
