/**
 * The tests that `make test` runs for every change: they check the guarantees of the schema and the package that most other
 * code depends on. Together they take about 70 processor seconds, which is 40 s on two processors.
 */
export const coreTests: readonly string[] = [
  // Privileges; catalog rules, constraints and triggers; tenant isolation; status changes; append-only logs.
  ...['access_matrix', 'apps', 'catalog', 'constraints', 'deployment_config', 'generation_events', 'generation_requests'],
  ...['iteration_snapshots', 'status_machine', 'tenants', 'triggers', 'user_activity_log', 'user_secrets'],
  // Sessions, errors and the queries that most services call.
  ...['connection', 'errors', 'generations', 'queries_apps', 'queue', 'queue_leases', 'session'],
  // The generated schema file matches the migrations; secrets are sealed.
  ...['schema_file', 'secrets'],
]

/** Tests that do not use the server of the run, or start the package's own: they run on one major version only. */
export const sameOnEveryMajor: readonly string[] = [
  ...['database_url', 'docs', 'env_files', 'example_service', 'package', 'pg_dump'],
  ...['secrets', 'secrets_kms', 'secrets_leaks', 'squawk', 'testing'],
]
