//! What the derives say of mistakes: each is reported where it was made.

#[test]
fn a_mistake_is_reported_at_its_field() {
    trybuild::TestCases::new().compile_fail("tests/derive_fail/*.rs");
}
