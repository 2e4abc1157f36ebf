/** The migrated database that test databases are clones of. */
export const template = 'leo_template'

/** Logins as services have them: a member of leo_api, a member of leo_worker. */
export const logins = { leo_api: 'test_api', leo_worker: 'test_worker' } as const
