-- Creates the domain of sealed secrets: encrypted outside of the database, with a key that the database does not have.
--   leo1 . <scheme: kms or dev> . <key ARN or id> . <wrapped data key> . <nonce, ciphertext and tag>
-- A domain, because a failing CHECK prints the whole row, plaintext included, to the client and the server log; a failing
-- domain prints its own name only. This holds for bound parameters: the server log shows literals with their statement,
-- and a failing COPY prints its line. The pattern has no bounded quantifiers, which are many times slower.
-- Locks: none. Undo: drops the domain.

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
