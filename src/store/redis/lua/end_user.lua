-- Why a script: all of a user's tokens end in one step, so that none is issued or renewed in between. Its work
-- is bounded by max-tokens-per-user.
-- ARGV[2]  user, spare: the locator to spare, or ''
-- Gives the locators of the tokens it ended.
return finish(end_tokens(a.user, 'all_of_user', function(locator) return locator ~= a.spare end))
