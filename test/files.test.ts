import type { SnapshotId } from '../db/index.ts'
import { inspect } from 'node:util'
import t from 'tap'
import { decodeFiles, encodeFiles } from '../db/queries/files.ts'
import type { Files } from '../db/queries/files.ts'

t.test('files come back as they were given, whatever they are called and hold', async (t) => {
  const odd = JSON.parse('{"__proto__": "x", "constructor": "y", "": "z", "1": "one"}') as Files
  for (const files of [{}, { 'a.txt': '' }, { 'a/\u0000': '\u0000\ud800"\\\n' }, { 'ä/日本.ts': '😀' }, odd]) {
    const back = decodeFiles(encodeFiles(files), 1 as SnapshotId)
    t.strictSame(Object.entries(back), Object.entries(files))
    t.notOk(encodeFiles(files).includes('\u0000'), 'as a text that PostgreSQL takes')
  }
})

t.test('a path is there only if a file is called so', async (t) => {
  const files = decodeFiles('{}', 1 as SnapshotId)
  for (const path of ['constructor', '__proto__', 'toString']) t.equal(files[path], undefined, path)
})

t.test('what is no object of strings is refused, and not quoted', async (t) => {
  for (const text of ['', 'hunter2', '"hunter2"', 'null', '["hunter2"]', '{"a":{"hunter2":1}}', '{"a":null}', '{"a":"hunter2"']) {
    const error = t.throws(() => decodeFiles(text, 1 as SnapshotId), { name: 'FilesNotReadableError', code: 'files_not_readable' }, text)
    t.notMatch(inspect(error), /hunter2/)
  }
})
