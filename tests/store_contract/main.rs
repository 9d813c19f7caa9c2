//! What every store promises, written once and tried on every variant. The time is a parameter of the store, so
//! no test waits for anything to expire.

#[path = "../common/mod.rs"]
mod common;

mod change;
mod devices;
mod events;
mod issue;
mod related;
mod rotation;
mod takeovers;
mod touch;
mod users;
mod validity;

/// Makes a module per behaviour, with one test per store.
macro_rules! on_each_store {
    ($($file:ident::$behaviour:ident,)*) => {
        $(mod $behaviour {
            crate::each_store!(crate::$file::$behaviour);
        })*
    };
}

on_each_store! {
    issue::an_issued_token_reads_back_whole,
    issue::an_unknown_token_is_nowhere,
    issue::the_first_check_key_is_kept,
    validity::a_token_expires_at_its_millisecond,
    validity::an_ended_token_is_shown_until_its_retention_is_over,
    validity::ending_what_has_ended_changes_nothing,
    validity::what_a_change_did_not_find_never_comes_back,
    validity::what_an_ending_of_all_did_not_find_never_comes_back,
    touch::renewals_extend_one_after_the_other,
    touch::a_renewal_never_shortens,
    touch::the_last_access_is_the_latest_in_any_order,
    touch::an_ended_token_is_not_touched,
    touch::an_access_after_the_expiry_does_nothing,
    touch::a_late_touch_renews_when_the_access_was_in_time,
    touch::a_renewal_that_is_past_is_none,
    touch::an_unknown_token_is_not_touched,
    touch::a_large_batch_is_written_whole,
    change::the_slug_is_set_and_cleared,
    change::the_flags_change_one_by_one,
    change::a_change_may_end_the_token_too,
    change::an_unknown_or_expired_token_is_not_found,
    users::a_listing_is_newest_first_and_ties_go_by_id,
    users::a_listing_shows_the_ended_and_not_the_expired,
    users::all_tokens_of_a_user_end_at_once,
    users::one_token_is_spared,
    users::a_token_of_another_user_spares_nothing,
    users::users_of_one_shard_keep_apart,
    users::the_oldest_token_makes_room,
    users::only_so_many_ended_tokens_are_kept,
    users::concurrent_logins_keep_the_limit,
    users::one_token_too_many_may_be_refused,
    rotation::an_old_secret_works_for_the_grace_only,
    rotation::secrets_of_one_grace_are_siblings_until_the_next_rotation_after_it,
    rotation::parallel_rotations_log_nobody_out,
    rotation::only_a_remembered_secret_ends_the_token,
    rotation::a_token_is_rotated_only_so_often_within_the_grace,
    rotation::a_reused_secret_ends_the_token_once,
    rotation::what_has_ended_or_expired_is_not_rotated,
    rotation::a_token_without_its_second_factor_is_confirmed_once,
    takeovers::a_token_acts_as_another_user_and_keeps_its_owner,
    takeovers::a_new_takeover_ends_the_earlier_one_and_never_nests,
    takeovers::some_takeovers_are_refused_and_change_nothing,
    takeovers::a_takeover_ends_with_its_token,
    takeovers::a_takeover_is_over_at_its_hard_end_and_at_its_tokens_expiry,
    takeovers::a_takeover_that_is_over_is_shown_until_its_retention_is_over,
    takeovers::only_the_newest_takeovers_of_a_token_are_kept,
    related::tokens_are_found_by_their_object,
    related::a_live_token_is_related_and_unrelated,
    related::what_has_ended_or_is_unknown_is_not_related,
    related::all_tokens_of_an_object_end,
    related::a_token_has_only_so_many_objects,
    related::an_object_has_only_so_many_live_tokens,
    related::a_login_by_device_key_is_found_too,
    related::readers_never_lose_a_token_to_its_object,
    events::every_change_tells_who_did_what_and_when,
    events::an_ending_of_all_tells_of_each,
    events::only_the_newest_events_are_kept_and_for_so_long,
    events::a_history_of_none_keeps_nothing,
    devices::a_device_key_is_made_once_and_reads_back_whole,
    devices::a_uuid_belongs_to_each_user_apart,
    devices::a_listing_of_devices_is_newest_first_and_ties_go_by_uuid,
    devices::one_device_key_too_many_is_refused,
    devices::a_login_issues_a_token_and_moves_the_key,
    devices::whatever_does_not_fit_is_refused,
    devices::an_unused_device_key_expires_at_its_millisecond,
    devices::a_name_is_set_and_cleared,
    devices::a_key_that_ends_takes_its_tokens_along_and_no_others,
    devices::a_login_keeps_to_the_limit_of_tokens,
    devices::what_happens_to_a_device_key_is_told,
    devices::no_login_survives_a_deactivation,
}
