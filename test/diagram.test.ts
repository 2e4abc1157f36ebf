import { test } from 'tap'
import { erDiagram, replaceSection } from '../scripts/lib/diagram.ts'
import { createEmptyDatabase } from './fixtures/database.ts'

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
  create table public.profiles (user_id uuid primary key references auth.users, locale text);
  create table public."Odd one" (pk bigint, "2nd" smallint, flag boolean, primary key (pk, "2nd"));
  create table public.style (id int primary key, parent_id int references public.style, note text);
  create unique index on public.style (note) where parent_id is null;
  create table public.bare (note text);
  create view public.seen as select 1 as id;
`

test('the ER diagram', async (t) => {
  const database = await createEmptyDatabase(t)
  await database.owner.query(schema)

  t.equal(
    await erDiagram(database.target),
    `erDiagram
  auth_users["auth.users"]
  "Odd one" {
    bigint pk_ PK
    smallint _2nd PK
  }
  apps {
    uuid id PK
    uuid user_id FK, UK "unique (user_id, app_name)"
    text app_name UK "unique (user_id, app_name)"
  }
  bare {
  }
  profiles {
    uuid user_id PK, FK
  }
  requests {
    int id PK
    uuid user_id FK
    uuid app_id FK
    text[] tags UK
  }
  "style" {
    int id PK
    int parent_id FK
  }
  auth_users ||--o{ apps : "user_id"
  auth_users ||--o| profiles : "user_id"
  apps |o--o{ requests : "user_id, app_id"
  "style" |o--o{ "style" : "parent_id"
`,
    'shows key columns, every foreign key, and whose children are optional or single',
  )

  t.equal(
    await erDiagram(database.target, { tables: ['requests', 'bare'] }),
    `erDiagram
  bare {
  }
  requests {
    int id PK
    uuid user_id FK
    uuid app_id FK
    text[] tags UK
  }
`,
    'leaves out what leads to a table that was not asked for',
  )

  await t.rejects(erDiagram(database.target, { tables: ['apps', 'nowhere'] }), { name: 'Failure' })
})

test('a generated section', async (t) => {
  const page = 'a\n<!-- generated:er -->\nold\n<!-- /generated:er -->\nb\n'
  const written = replaceSection(page, 'er', '\n$& new\n')
  t.equal(written, 'a\n<!-- generated:er -->\n$& new\n<!-- /generated:er -->\nb\n', 'is replaced between its markers')
  t.equal(replaceSection(written, 'er', '$& new'), written, 'stays as it is when written again')
  t.throws(() => replaceSection(page, 'other', ''), { name: 'Failure' }, 'is not invented')
  t.throws(() => replaceSection(page.replace('/generated', ''), 'er', ''), { name: 'Failure' }, 'has an end')
})
