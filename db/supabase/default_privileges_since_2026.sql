-- Default privileges of a Supabase project made since 2026: data access is no longer granted by default, but the
-- privileges below, which row security does not hold back, still reach the API roles.

alter default privileges for role postgres in schema public
  grant truncate, references, trigger on tables to anon, authenticated, service_role;
