-- The only form in which a secret may lie in this database: sealed outside of it, by a key that it does not have.
--   leo1 . <scheme: kms or dev> . <key ARN or id> . <wrapped data key> . <nonce, ciphertext and tag>
-- A domain and not a CHECK: a failing CHECK prints the whole row, plaintext included, to the client and the server's
-- log; a failing domain names only itself. That holds for bound parameters: a literal in the statement is logged with
-- the statement, and a failing COPY prints its line, so neither is a way to write secrets.
-- No bounded quantifiers in the pattern, they are many times slower.
-- Locks: none. Undo: drops the domain; the columns that use it are gone by then.

-- migrate:up
set local lock_timeout = '3s';

-- squawk-ignore ban-create-domain-with-constraint: a failing check would print the secret, see above
create domain public.sealed_secret as text
  constraint sealed_secret_form_check check (
    value collate "C" ~ '^leo1\.(kms|dev)\.[A-Za-z0-9:/_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$'
  );

comment on domain public.sealed_secret is 'A secret sealed by the package''s ./secrets: leo1.<scheme>.<key>.<wrapped data key>.<nonce, ciphertext, tag>, base64url.';

-- migrate:down
set local lock_timeout = '3s';

drop domain public.sealed_secret;
