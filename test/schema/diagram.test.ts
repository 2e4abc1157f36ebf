import { test } from 'tap'
import { erDiagrams, replaceSection } from '../../scripts/schema/generate/diagram.ts'
import type { TableGroups } from '../../scripts/schema/generate/diagram.ts'
import { tableGroups } from '../../scripts/schema/generate/files.ts'
import { createEmptyDatabase, createMigratedDatabase } from '../fixtures/database.ts'

const schema = `
  create table public.apps (
    id uuid primary key,
    user_id uuid not null references auth.users,
    app_name text not null,
    created_at timestamptz,
    unique (user_id, app_name),
    unique (user_id, id)
  );
  create table public.requests (
    id serial primary key,
    user_id uuid not null,
    app_id uuid,
    tags text[] unique,
    foreign key (user_id, app_id) references public.apps (user_id, id)
  );
  create table public.profiles (user_id uuid primary key references auth.users, app_id uuid references public.apps);
  create table public."Odd one" (pk bigint, "2nd" smallint, flag boolean, primary key (pk, "2nd"));
  create table public.style (id int primary key, parent_id int references public.style, note text);
  create unique index on public.style (note) where parent_id is null;
  create table public.bare (note text);
  create view public.seen as select 1 as id;
`

test('the ER diagrams', async (t) => {
  const database = await createEmptyDatabase(t)
  await database.owner.query(schema)
  const groups = { People: ['profiles'], Work: ['requests', 'apps'], Odd: ['Odd one', 'style', 'bare'] }

  t.equal(
    await erDiagrams(database.target, groups),
    `### People

\`\`\`mermaid
erDiagram
  auth_users["auth.users"]
  profiles {
    uuid user_id PK, FK
    uuid app_id FK
  }
  auth_users ||--o| profiles : "user_id"
  apps |o--o{ profiles : "app_id"
\`\`\`

### Work

\`\`\`mermaid
erDiagram
  auth_users["auth.users"]
  requests {
    int id PK
    uuid user_id FK
    uuid app_id FK
    text[] tags UK
  }
  apps {
    uuid id PK
    uuid user_id FK, UK "unique (user_id, app_name)"
    text app_name UK "unique (user_id, app_name)"
  }
  auth_users ||--o{ apps : "user_id"
  apps |o--o{ requests : "user_id, app_id"
\`\`\`

### Odd

\`\`\`mermaid
erDiagram
  "Odd one" {
    bigint pk_ PK
    smallint _2nd PK
  }
  "style" {
    int id PK
    int parent_id FK
  }
  bare {
  }
  "style" |o--o{ "style" : "parent_id"
\`\`\`
`,
    'show key columns, every foreign key once, whose children are optional or single, and other groups by name',
  )

  const misplaced: Readonly<Record<string, TableGroups>> = {
    'in no group': { ...groups, Odd: ['Odd one', 'style'] },
    'in two groups': { ...groups, People: ['profiles', 'bare'] },
    'twice in one': { ...groups, People: ['profiles', 'profiles'] },
    'not there': { ...groups, People: ['profiles', 'nowhere'] },
  }
  for (const [title, wrong] of Object.entries(misplaced)) {
    await t.rejects(erDiagrams(database.target, wrong), { name: 'Failure' }, `a table ${title} is refused`)
  }
})

test('a new table belongs into a group of the README', async (t) => {
  const database = await createMigratedDatabase(t)
  await t.resolves(erDiagrams(database.target, tableGroups))
  await database.owner.query('create table forgotten (id int)')
  await t.rejects(erDiagrams(database.target, tableGroups), { name: 'Failure', message: /forgotten/ })
})

test('a generated section', async (t) => {
  const page = 'a\n<!-- generated:er -->\nold\n<!-- /generated:er -->\nb\n'
  const written = replaceSection(page, 'er', '\n$& new\n')
  t.equal(written, 'a\n<!-- generated:er -->\n$& new\n<!-- /generated:er -->\nb\n', 'is replaced between its markers')
  t.equal(replaceSection(written, 'er', '$& new'), written, 'stays as it is when written again')
  t.throws(() => replaceSection(page, 'other', ''), { name: 'Failure' }, 'is not invented')
  t.throws(() => replaceSection(page.replace('/generated', ''), 'er', ''), { name: 'Failure' }, 'has an end')
})
