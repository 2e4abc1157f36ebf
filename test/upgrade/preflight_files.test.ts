import t from 'tap'
import { problemsOf, type FilesProblem } from '../../scripts/upgrade/preflight/files-text.ts'

const files: ReadonlyArray<[text: string, ...problems: FilesProblem[]]> = [
  ['{}'],
  [' { "a" : "1" , "b/c.txt" : "\\n\\ud83d\\ude00" } '],
  ['{"a..b":"x",".env":"x","src/..hidden":"x"}'],
  ['{"a":"\\\\u0000"}'],
  ...['', ' ', 'null', '[]', '"a"', '{', '{"a"', '{"a":', '{"a":"1"', '{"a":"1",}', '{"a":"1"} x', '{a:"1"}', "{'a':'1'}", '{"a":"\n"}', '{"a":"\\x"}', '{"a":"\\u12"}', '{"a":"1" "b":"2"}'].map(
    (text) => [text, 'files_no_object_of_strings'] as [string, FilesProblem],
  ),
  ['{"a":1,"b":{"c":["}"]},"../d":null}', 'files_no_object_of_strings', 'files_unsafe_path'],
  ['{"a":"\\u0000"}', 'files_no_text'],
  ['{"a\\u0000":"1"}', 'files_no_text'],
  ['{"a":"\\ud83d"}', 'files_no_text'],
  ['{"a":"\\ude00\\ud83d"}', 'files_no_text'],
  ['{"a":"1","\\u0061":"2"}', 'files_duplicate_key'],
  ...['..', '../a', 'a/../b', 'a/..', '/a', 'a\\\\b', 'C:/a', 'c:a'].map((path) => [`{"${path}":"1"}`, 'files_unsafe_path'] as [string, FilesProblem]),
]

t.test('the problems of files are found in any text', (t) => {
  for (const [text, ...problems] of files) t.strictSame([...problemsOf(text)], problems, text)
  const deep = '['.repeat(2_000_000)
  t.strictSame([...problemsOf(`{"a":${deep}`)], ['files_no_object_of_strings'])
  t.strictSame([...problemsOf(`{"a":"${'x\\n'.repeat(1_000_000)}"}`)], [])
  t.end()
})
