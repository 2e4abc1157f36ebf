/**
 * What `make test` runs whatever has changed: the promises of the schema and of the package that most depends on. Chosen by
 * what they prove for the processor seconds that they take; together some 70, so that two processors need 40 s.
 */
export const coreTests: readonly string[] = [
  // Who may do what; the rules of the catalog, constraints and triggers; tenants apart; status changes; append-only logs.
  ...['access_matrix', 'apps', 'catalog', 'constraints', 'deployment_config', 'generation_events', 'generation_requests'],
  ...['iteration_snapshots', 'status_machine', 'tenants', 'triggers', 'user_activity_log', 'user_secrets'],
  // The session, its errors and the queries that most services call.
  ...['connection', 'errors', 'generations', 'queries_apps', 'queue', 'queue_leases', 'session'],
  // The generated schema file is that of the migrations; secrets are sealed.
  ...['schema_file', 'secrets'],
]

/** They ask the server nothing, or start that of the package: one major is enough. */
export const sameOnEveryMajor: readonly string[] = [
  ...['database_url', 'docs', 'env_files', 'example_service', 'package', 'pg_dump'],
  ...['secrets', 'secrets_kms', 'secrets_leaks', 'squawk', 'testing'],
]
