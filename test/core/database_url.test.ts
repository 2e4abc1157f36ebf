import t from 'tap'
import { parseDatabaseUrl, withDatabase } from '../../scripts/core/target.ts'

const local = 'postgres://me:secret@127.0.0.1:5433/app'
const remote = 'postgres://me:secret@db.example.com/app'

t.test('a local database needs no TLS, and the setting is passed to every tool', async (t) => {
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '[::1]']) {
    const target = parseDatabaseUrl(`postgres://me@${host}/app`)
    t.match(target, { isLocal: true, sslMode: 'disable', port: 5432, pg: { ssl: false } }, host)
    t.match(target.dbmateUrl, /[?&]sslmode=disable$/)
  }
})

t.test('a remote database without TLS is refused, and so is one that only prefers it', async (t) => {
  for (const url of [remote, `${remote}?sslmode=disable`, `${remote}?sslmode=prefer`, `${remote}?sslmode=allow`]) {
    t.throws(() => parseDatabaseUrl(url), { name: 'Failure' }, url)
  }
  t.match(parseDatabaseUrl(`${remote}?sslmode=require`), { isLocal: false, sslMode: 'require' })
  t.throws(() => parseDatabaseUrl('postgres://me@10.0.0.5/app'), { name: 'Failure' }, 'a private address is remote too')
  t.throws(() => parseDatabaseUrl('postgres://me@127.0.0.1.example.com/app'), { name: 'Failure' })
  for (const parameter of ['host=db.example.com', 'port=1', 'dbname=other', 'user=me', 'password=x']) {
    t.throws(() => parseDatabaseUrl(`postgres://me@localhost/app?${parameter}`), { name: 'Failure' }, parameter)
  }
})

t.test('each sslmode has the same meaning for pg and libpq', async (t) => {
  const ssl = (mode: string) => parseDatabaseUrl(`${remote}?sslmode=${mode}`).pg.ssl
  t.strictSame(ssl('require'), { rejectUnauthorized: false })
  t.strictSame(ssl('no-verify'), { rejectUnauthorized: false })
  t.strictSame(ssl('verify-full'), { rejectUnauthorized: true })
  t.match(ssl('verify-ca'), { rejectUnauthorized: true, checkServerIdentity: Function })
  t.throws(() => ssl('sometimes'), { name: 'Failure' })
  t.throws(() => parseDatabaseUrl(`${remote}?sslmode=verify-full&sslrootcert=/no/such/file`), { name: 'Failure' })
})

t.test('a text that is not a PostgreSQL URL is refused', async (t) => {
  for (const text of ['', 'app', 'mysql://me@localhost/app', 'postgres://me@localhost', 'postgres://localhost/app', 'postgres:///app', 'postgres://a%zz@localhost/app']) {
    t.throws(() => parseDatabaseUrl(text), { name: 'Failure' }, text)
  }
})

t.test('the error names a character that is not percent-encoded', async (t) => {
  for (const password of ['pa#ss', 'pa#', 'pa/s#s', '#']) {
    const url = `postgres://me:${password}@localhost/app`
    t.throws(() => parseDatabaseUrl(url), { name: 'Failure', message: 'DATABASE_URL cannot be parsed', remedy: /# is %23/ }, url)
  }
  t.equal(parseDatabaseUrl('postgres://me:pa%23ss@localhost/app').pg.password, 'pa#ss')
})

t.test('neither the label nor an error contains the password', async (t) => {
  t.equal(parseDatabaseUrl(local).label, 'me@127.0.0.1:5433/app')
  for (const url of [remote, 'postgres://me:secret@localhost', 'nonsense:secret', 'postgres://me:#secret@localhost/app', `${remote}?sslmode=verify-ca&sslrootcert=/no`]) {
    try {
      parseDatabaseUrl(url)
      t.fail(url)
    } catch (error) {
      const { message, remedy } = error as Error & { remedy: string }
      t.notMatch(`${message} ${remedy}`, 'secret')
    }
  }
})

t.test('escaped characters are decoded for pg', async (t) => {
  const target = parseDatabaseUrl('postgresql://m%40e:p%2Fw%25@localhost/my%20app')
  t.match(target.pg, { user: 'm@e', password: 'p/w%', database: 'my app' })
  t.equal(withDatabase(target, 'an other').database, 'an other')
  t.equal(withDatabase(target, 'an other').pg.password, 'p/w%')
})

t.test('a search_path in the URL is not passed to dbmate, which would search its table there', async (t) => {
  t.notMatch(parseDatabaseUrl(`${local}?search_path=public`).dbmateUrl, 'search_path')
})
