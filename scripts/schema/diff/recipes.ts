/** What squawk leaves unsaid: how the same is done while services run. */
export const recipes: Readonly<Record<string, string>> = {
  'ban-drop-column': 'release services that no longer name it, then drop it',
  'ban-drop-table': 'release services that no longer name it, keep a copy of the rows, then drop it',
  'renaming-column':
    'add the new column, write both, backfill, release services that read the new one, then drop the old one',
  'renaming-table': 'leave a view under the old name until no service uses it',
  'changing-column-type':
    'add a column of the new type, write both, backfill, release services that read it, then drop the old one',
  'ban-drop-not-null': 'first release services that get along with null',
  'ban-char-field': 'use `text` with a check',
  'ban-drop-database': 'leave that to people',
  'ban-create-domain-with-constraint': 'make the domain first, and write each constraint as one on the column',
}

/** Of what was measured. */
export const measuredRecipes = {
  rewrite: 'add another column without a default that is computed, backfill in batches, then take its place',
  index: 'build it `concurrently`, alone in a file under `transaction:false`; a key then takes it by `using index`',
  scan: 'add the check `not valid`, validate it in a later file; `set not null` then believes it without a look',
  write: 'do it in batches before (`make backfill` is one), and here only what is left',
} as const
