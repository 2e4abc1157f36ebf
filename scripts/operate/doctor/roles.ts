import { isPending, type Check, type Finding, type ServiceRoles } from './check.ts'

/** The attributes of a role that the rules read. */
export interface Role {
  readonly name: string
  readonly login: boolean
  readonly inherit: boolean
  /** SUPERUSER, BYPASSRLS and the like. */
  readonly powers: readonly string[]
  /** The roles that it is a direct member of. */
  readonly memberOf: readonly string[]
  /** The roles among anon, authenticated and service_role whose rights it inherits. */
  readonly has: readonly string[]
  /** The roles among these that it may SET ROLE to. */
  readonly mayBecome: readonly string[]
}

export const roleChecks: readonly Check[] = [
  {
    name: 'roles',
    looksAt: 'memberships: the roles of services, the logins that are members of them, and the roles of the Data API',
    async examine(context) {
      const { query, roles } = context
      const found = await query<Role>(
        `select
          r.rolname as name,
          r.rolcanlogin as login,
          r.rolinherit as inherit,
          array_remove(array[
            case when r.rolsuper then 'superuser' end,
            case when r.rolbypassrls then 'bypassrls' end,
            case when r.rolcreaterole then 'createrole' end,
            case when r.rolcreatedb then 'createdb' end,
            case when r.rolreplication then 'replication' end
          ], null) as powers,
          array(
            select g.rolname::text from pg_auth_members as m join pg_roles as g on g.oid = m.roleid
            where m.member = r.oid group by 1 order by 1
          ) as "memberOf",
          array(
            select rolname::text from pg_roles
            where rolname in ('anon', 'authenticated', 'service_role') and pg_has_role(r.oid, oid, 'usage') order by 1
          ) as has,
          array(
            select rolname::text from pg_roles
            where rolname in ('anon', 'authenticated', 'service_role') and pg_has_role(r.oid, oid, 'member') order by 1
          ) as "mayBecome"
        from pg_roles as r
        where not r.rolsuper or r.rolname = any ($1)
        order by 1`,
        [[roles.api, roles.worker, 'anon', 'authenticated', 'service_role']],
      )
      const services = [roles.api, roles.worker]
      return {
        figure: services.map((role) => `${role}: ${logins(found, role).join(', ') || 'no login'}`).join('; '),
        findings: examineRoles(found, roles, await isPending(context)),
      }
    },
  },
]

/** Roles that only the platform can create. */
const isPlatform = (name: string): boolean =>
  ['postgres', 'authenticator'].includes(name) || name.startsWith('supabase_')

const membersOf = (roles: readonly Role[], name: string): Role[] =>
  roles.filter((role) => role.memberOf.includes(name) && !isPlatform(role.name))

const logins = (roles: readonly Role[], name: string): string[] =>
  membersOf(roles, name).filter(({ login }) => login).map((role) => role.name)

/** Checks the roles against the migration that creates them, and the logins that are members of them. */
export function examineRoles(all: readonly Role[], { api, worker }: ServiceRoles, pending = false): Finding[] {
  const named = (...names: string[]): Role[] => all.filter(({ name }) => names.includes(name))
  const missing = [api, worker].filter((name) => named(name).length === 0)
  return [
    ...missing.map((name): Finding => ({
      code: 'role_missing',
      severity: pending ? 'note' : 'bad',
      subject: name,
      what: `the role ${name} does not exist`,
      remedy: pending
        ? 'make migrate'
        : name === api
          ? `create role ${name} nologin noinherit; grant authenticated to ${name};`
          : `create role ${name} nologin inherit; grant service_role to ${name};`,
    })),
    ...named(api).flatMap((role) => [...examineService(role, 'authenticated'), ...examineApi(role)]),
    ...named(worker).flatMap((role) => [...examineService(role, 'service_role'), ...examineWorker(role)]),
    ...membersOf(all, api).flatMap((role) => [...examinePowers(role), ...examineApiLogin(role, api)]),
    ...membersOf(all, worker).flatMap((role) => [...examinePowers(role), ...examineWorkerLogin(role, worker)]),
    ...membersOf(all, 'service_role')
      .filter(({ name }) => name !== worker)
      .map((role) => bad('service_role_has_member', role, 'may act as service_role', revoke('service_role', role))),
    ...named('anon', 'authenticated').flatMap((role) => [...examinePowers(role), ...examineDataApi(role)]),
  ]
}

/** Checks leo_api or leo_worker: it must be a member of `own` and of no other role. */
function examineService(role: Role, own: string): Finding[] {
  const nologin = `alter role ${quoted(role.name)} nologin;`
  return [
    ...examinePowers(role),
    ...(role.login ? [warn('role_may_log_in', role, 'can log in; only its members should', nologin)] : []),
    ...role.memberOf
      .filter((other) => other !== own)
      .map((other) => bad('role_is_member', role, `is a member of ${other}`, revoke(other, role))),
    ...(role.memberOf.includes(own)
      ? []
      : [bad('role_is_no_member', role, `is not a member of ${own}`, `grant ${own} to ${quoted(role.name)};`)]),
  ]
}

const examineApi = (role: Role): Finding[] =>
  role.inherit || role.has.length > 0
    ? [bad('role_inherits', role, 'inherits the rights of roles that it may only SET ROLE to', recreate(role))]
    : []

const examineWorker = (role: Role): Finding[] =>
  role.memberOf.includes('service_role') && !role.has.includes('service_role')
    ? [bad('role_does_not_inherit', role, 'does not have the rights of service_role', recreate(role))]
    : []

const examineApiLogin = (role: Role, api: string): Finding[] => [
  ...role.memberOf
    .filter((other) => other !== api)
    .map((other) => bad('login_is_member', role, `logs in as ${api} and is a member of ${other}`, revoke(other, role))),
  ...role.has.map((other) =>
    bad('login_inherits', role, `logs in as ${api} and inherits the rights of ${other}`, revoke(api, role)),
  ),
]

function examineWorkerLogin(role: Role, worker: string): Finding[] {
  if (role.has.includes('service_role')) return []
  const name = quoted(role.name)
  const remedy = `alter role ${name} inherit; ${revoke(worker, role)} grant ${quoted(worker)} to ${name};`
  return [warn('login_does_not_inherit', role, `logs in as ${worker} without its rights`, remedy)]
}

const examineDataApi = (role: Role): Finding[] =>
  role.mayBecome
    .filter((other) => other !== role.name)
    .map((other) => bad('api_role_is_member', role, `may act as ${other}`, revoke(other, role)))

function examinePowers(role: Role): Finding[] {
  const without = role.powers.map((power) => `no${power}`).join(' ')
  const remedy = `alter role ${quoted(role.name)} ${without};`
  return role.powers.length > 0 ? [bad('role_has_powers', role, `is ${role.powers.join(', ')}`, remedy)] : []
}

const bad = (code: string, { name }: Role, does: string, remedy: string): Finding => ({
  code,
  severity: 'bad',
  subject: name,
  what: `${name} ${does}`,
  remedy,
})

const warn = (...details: Parameters<typeof bad>): Finding => ({ ...bad(...details), severity: 'warn' })

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

const revoke = (granted: string, { name }: Role): string => `revoke ${quoted(granted)} from ${quoted(name)};`

/** On PostgreSQL 16 and later, inheritance is fixed when a role is granted; altering the role has no effect on it. */
const recreate = ({ name }: Role): string =>
  `drop role ${quoted(name)}, its members and grants first, and create it as 20261122101200_create_service_roles.sql does`
