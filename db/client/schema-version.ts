// Generated from db/migrations by `make version`. Do not edit.

/** The version of the schema that this package was made from: its newest migration. */
export const schemaVersion = '20261122125000'
