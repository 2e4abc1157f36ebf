-- Default privileges of a Supabase project created since 2026: access to data is no longer granted by default, but the API
-- roles still get the privileges below, which row security does not restrict.

alter default privileges for role postgres in schema public
  grant truncate, references, trigger on tables to anon, authenticated, service_role;
