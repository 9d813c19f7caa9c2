use crate::model::takeover::ActiveTakeover;
use crate::model::token::{Bars, RecordVerdict, Renewal, Texts, TokenChange, TokenRecord, Transport};
use crate::token_string::{SecretHash, TokenId};

pub(crate) fn record() -> TokenRecord {
    let id = TokenId::parse("AAAAAAAAAAAAAAAA").unwrap();
    let hash = SecretHash::from_slice(&[1; 16]).unwrap();
    let texts = Texts::new("alice", None, None, None);
    TokenRecord { allowed_header: false, ..TokenRecord::issued(id, hash, texts, 0, 1_000, 5_000) }
}

#[test]
fn the_right_secret_on_an_allowed_transport_is_admitted_before_its_expiry() {
    let token = record();
    let wrong = SecretHash::from_slice(&[2; 16]).unwrap();
    let judge = |hash, via, now_ms| token.judge(hash, Some(via), now_ms);
    assert_eq!(judge(&token.secret_hash, Transport::Cookie, 999), RecordVerdict::Admitted);
    assert_eq!(
        judge(&token.secret_hash, Transport::Cookie, 1_000),
        RecordVerdict::Expired,
        "expiry is exclusive"
    );
    assert_eq!(judge(&token.secret_hash, Transport::Header, 999), RecordVerdict::Refused);
    assert_eq!(judge(&wrong, Transport::Cookie, 999), RecordVerdict::WrongSecret);
    assert_eq!(token.judge(&token.secret_hash, None, 999), RecordVerdict::Admitted);
    let revoked = TokenRecord { is_active: false, ..token.clone() };
    assert_eq!(revoked.judge(&wrong, None, 999), RecordVerdict::Refused, "nothing more to find out");
    let pending = TokenRecord { bars: Bars::PENDING, ..token.clone() };
    assert_eq!(pending.judge(&token.secret_hash, None, 999), RecordVerdict::Pending);
    assert_eq!(pending.judge(&wrong, None, 999), RecordVerdict::WrongSecret);
}

#[test]
fn a_renewed_record_is_live_again_and_keeps_its_latest_access() {
    let token = record();
    token.accesses.record(900);
    assert_eq!((token.has_expired(999), token.has_expired(1_000)), (false, true));
    let renewed = token.renewed_to(1_900);
    assert_eq!(renewed.judge(&token.secret_hash, None, 1_899), RecordVerdict::Admitted);
    assert_eq!(renewed.judge(&token.secret_hash, None, 1_900), RecordVerdict::Expired);
    assert_eq!(renewed.accesses.latest_ms(), 900);
    let revoked = TokenRecord { is_active: false, ..token };
    assert!(!revoked.has_expired(1_000), "its expiry means nothing any more");
}

#[test]
fn a_locked_token_refuses_every_secret_alike() {
    let token = TokenRecord { bars: Bars::LOCKED, ..record() };
    let wrong = SecretHash::from_slice(&[2; 16]).unwrap();
    for (secret, now_ms) in [(token.secret_hash, 999), (wrong, 999), (token.secret_hash, 1_000)] {
        assert_eq!(token.judge(&secret, Some(Transport::Cookie), now_ms), RecordVerdict::Refused);
    }
    assert!(token.is_opened_by(&token.secret_hash, 999), "its string can still revoke it");
}

#[test]
fn a_change_of_the_times_counts_from_now_and_from_the_issue() {
    let change = |idle_ms, lifetime_ms| TokenChange { idle_ms, lifetime_ms, ..TokenChange::default() };
    let token = record();
    assert_eq!(token.end_after(&change(Some(1), None), 4_999), Some(5_000));
    assert_eq!(token.end_after(&change(None, Some(101)), 100), Some(101));
    assert_eq!(token.end_after(&change(None, Some(100)), 100), None, "the end is exclusive");
    let mut changed = token.clone();
    changed.retime(300, 5_000, 100);
    assert_eq!((changed.expires_at_ms, changed.latest_renewal(99)), (400, 399));
    changed.retime(9_000, 5_000, 100);
    assert_eq!((changed.expires_at_ms, changed.latest_renewal(99)), (5_000, 5_000));
}

#[test]
fn two_renewals_join_in_any_order() {
    let [one, other] = [(1, 10), (5, 15)].map(|(from_ms, to_ms)| Renewal { from_ms, to_ms });
    let both = Renewal { from_ms: 1, to_ms: 15 };
    assert_eq!([one.and(other), other.and(one)], [both, both]);
}

#[test]
fn a_shared_record_takes_four_lines_of_memory() {
    let counts_of_owners = 2 * size_of::<usize>();
    assert!(counts_of_owners + size_of::<TokenRecord>() <= 4 * 64, "{}", size_of::<TokenRecord>());
}

#[test]
fn a_takeover_shows_another_user_until_its_end() {
    let takeover = ActiveTakeover {
        id: TokenId::parse("AAAAAAAAAAAAAAAB").unwrap(),
        user: "bob".into(),
        reason: None,
        created_at_ms: 0,
        ends_at_ms: 500,
    };
    let token = TokenRecord { takeover: Some(Box::new(takeover)), ..record() };
    assert_eq!((token.effective_user(499), token.identity_ends_at_ms(499)), ("bob", 500));
    assert_eq!((token.effective_user(500), token.identity_ends_at_ms(500)), ("alice", 1_000));
    let expires_first = TokenRecord { expires_at_ms: 400, ..token.clone() };
    assert_eq!(expires_first.identity_ends_at_ms(399), 400);
    let revoked = TokenRecord { is_active: false, ..token };
    assert_eq!(revoked.effective_user(499), "alice");
}

#[test]
fn renewal_goes_in_steps_up_to_the_absolute_end_and_never_back() {
    let token = record();
    assert_eq!(token.renewal(99, 100), None);
    assert_eq!(token.renewal(100, 100), Some(1_100));
    assert_eq!(token.renewal(0, 0), None, "nothing earned");
    assert_eq!(token.renewal(4_900, 100), Some(5_000));
    let at_its_end = TokenRecord { expires_at_ms: 5_000, ..token };
    assert_eq!(at_its_end.renewal(4_999, 0), None);
}
