use super::*;

/// Types `text`, in which `|` is where the cursor is to be.
fn editor(text: &str) -> Editor {
    let mut editor = Editor::default();
    let (before, after) = text.split_once('|').unwrap();
    for character in (before.to_owned() + after).chars() {
        assert_eq!(editor.key(Key::Char(character)), Did::Edit);
    }
    editor.cursor = before.len();
    editor
}

fn seen(editor: &Editor) -> String {
    let view = editor.view();
    let (before, after) = view.text.split_at(view.cursor);
    format!("{}{before}|{after}", view.prompt.unwrap_or_default())
}

fn after(text: &str, keys: &[Key]) -> String {
    let mut editor = editor(text);
    for &key in keys {
        assert_eq!(editor.key(key), Did::Edit);
    }
    seen(&editor)
}

fn said(lines: &[&str]) -> Editor {
    let mut editor = Editor::default();
    for line in lines {
        for character in line.chars() {
            editor.key(Key::Char(character));
        }
        assert_eq!(editor.key(Key::Enter), Did::Submit((*line).into()));
    }
    editor
}

#[test]
fn the_cursor_moves_by_what_is_seen_as_a_character() {
    let text = "e\u{301}가👩\u{200d}🚀|";
    assert_eq!(after(text, &[Key::Left]), "e\u{301}가|👩\u{200d}🚀");
    assert_eq!(after(text, &[Key::Left; 3]), "|e\u{301}가👩\u{200d}🚀");
    assert_eq!(after(text, &[Key::Left; 9]), "|e\u{301}가👩\u{200d}🚀");
    assert_eq!(after(text, &[Key::Backspace]), "e\u{301}가|");
    assert_eq!(after(text, &[Key::Backspace; 4]), "|");
    assert_eq!(after("|e\u{301}x", &[Key::Delete]), "|x");
    assert_eq!(after("|e\u{301}x", &[Key::Right; 9]), "e\u{301}x|");
}

#[test]
fn a_mark_typed_later_joins_the_character_before_it() {
    assert_eq!(after("e|x", &[Key::Char('\u{301}'), Key::Backspace]), "|x");
}

#[test]
fn words_are_passed_and_cut() {
    assert_eq!(after("one, two|", &[Key::WordLeft]), "one, |two");
    assert_eq!(after("one, two|", &[Key::WordLeft; 2]), "|one, two");
    assert_eq!(after("|one, two", &[Key::WordRight; 2]), "one, two|");
    assert_eq!(after("a one, |two", &[Key::Ctrl('w')]), "a |two");
    assert_eq!(after("a one, |two", &[Key::WordBackspace]), "a |two");
    assert_eq!(after("a| one two", &[Key::Alt('d')]), "a| two");
    assert_eq!(after("one| two", &[Key::Ctrl('u')]), "| two");
    assert_eq!(
        after("one| two", &[Key::Ctrl('k'), Key::Home, Key::Ctrl('y')]),
        " two|one"
    );
}

#[test]
fn enter_submits_the_whole_line_from_wherever_the_cursor_is() {
    assert_eq!(
        editor("he|llo").key(Key::Enter),
        Did::Submit("hello".into())
    );
    assert_eq!(editor("|").key(Key::Enter), Did::Edit);
}

#[test]
fn ctrl_d_ends_an_empty_line_and_deletes_in_another() {
    assert_eq!(editor("|").key(Key::Ctrl('d')), Did::End);
    assert_eq!(after("|ab", &[Key::Ctrl('d')]), "|b");
    assert_eq!(after("ab|", &[Key::Ctrl('d')]), "ab|");
}

#[test]
fn the_history_gives_back_what_was_being_typed() {
    let mut editor = said(&["one", "two"]);
    editor.key(Key::Char('x'));
    for (key, then) in [
        (Key::Up, "two|"),
        (Key::Up, "one|"),
        (Key::Up, "one|"),
        (Key::Down, "two|"),
        (Key::Down, "x|"),
        (Key::Down, "x|"),
    ] {
        editor.key(key);
        assert_eq!(seen(&editor), then);
    }
}

#[test]
fn a_search_finds_the_newest_first_and_enter_sends_it() {
    let mut editor = said(&["an apple", "a pear", "my apple"]);
    editor.key(Key::Char('x'));
    for (key, then) in [
        (Key::Ctrl('r'), "(search `'): x|"),
        (Key::Char('a'), "(search `a'): my |apple"),
        (Key::Char('p'), "(search `ap'): my |apple"),
        (Key::Ctrl('r'), "(search `ap'): an |apple"),
        (Key::Ctrl('r'), "(search `ap'): an |apple"),
        (Key::Char('z'), "(no `apz'): an |apple"),
        (Key::Backspace, "(search `ap'): my |apple"),
        (Key::Ctrl('g'), "x|"),
        (Key::Ctrl('r'), "(search `'): x|"),
        (Key::Char('r'), "(search `r'): a pea|r"),
    ] {
        editor.key(key);
        assert_eq!(seen(&editor), then, "{key:?}");
    }
    assert_eq!(editor.key(Key::Enter), Did::Submit("a pear".into()));
}

#[test]
fn a_key_that_moves_ends_a_search_with_what_it_found() {
    let mut editor = said(&["an apple"]);
    for key in [Key::Ctrl('r'), Key::Char('p'), Key::End] {
        editor.key(key);
    }
    assert_eq!(seen(&editor), "an apple|");
}
