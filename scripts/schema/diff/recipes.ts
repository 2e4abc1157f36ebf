/** Safe alternatives for squawk rules that come without a help text. */
export const recipes: Readonly<Record<string, string>> = {
  'ban-drop-column': 'deploy services that no longer use it, then drop it',
  'ban-drop-table': 'deploy services that no longer use it, save a copy of the rows, then drop it',
  'renaming-column':
    'add the new column, write both, backfill, deploy services that read the new one, then drop the old one',
  'renaming-table': 'create a view under the old name until no service uses it',
  'changing-column-type':
    'add a column of the new type, write both, backfill, deploy services that read it, then drop the old one',
  'ban-drop-not-null': 'first deploy services that accept null',
  'ban-char-field': 'use `text` with a check',
  'ban-drop-database': 'drop it by hand, not in a migration',
  'ban-create-domain-with-constraint': 'create the domain without constraints, and put the constraints on the columns',
}

/** Safe alternatives for what measuring a migration finds. */
export const measuredRecipes = {
  rewrite: 'add a new column without a volatile default, backfill it in batches, then replace the old column',
  index: 'create the index `concurrently`, alone in a file with `transaction:false`; add a key with `using index`',
  scan: 'add the check `not valid` and validate it in a later file; `set not null` then uses it instead of a scan',
  write: 'change the rows in batches beforehand (as `make backfill` does), and only the rest here',
} as const
