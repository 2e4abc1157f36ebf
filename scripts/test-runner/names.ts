/** The migrated database from which test databases are cloned. */
export const template = 'leo_template'

/** Logins such as services use: a member of leo_api and a member of leo_worker. */
export const logins = { leo_api: 'test_api', leo_worker: 'test_worker' } as const
