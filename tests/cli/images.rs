//! What a build says of the images that it calibrates on: the odd ones by name, and one that cannot be read.

use std::fs;

use serde_json::Value;

use crate::space::Space;

/// A BMP of 24 bits a pixel, from the bottom row up; every byte by column and row.
fn bmp(side: u8, byte: impl Fn(u8, u8) -> u8) -> Vec<u8> {
    let row = usize::from(side) * 3;
    let padded = row.next_multiple_of(4);
    let size = 54 + padded * usize::from(side);
    let mut bytes = b"BM".to_vec();
    for number in [size as u32, 0, 54, 40, u32::from(side), u32::from(side), 1 | 24 << 16, 0, 0, 0, 0, 0, 0] {
        bytes.extend(number.to_le_bytes());
    }
    for y in 0..side {
        bytes.extend((0..side).flat_map(|x| [byte(x, y); 3]));
        bytes.resize(bytes.len() + padded - row, 0);
    }
    bytes
}

#[test]
fn odd_images_are_named_after_the_build() {
    let space = Space::only("digits");
    let first = space.images("data/digits/calibration", "").remove(0);
    let held_out = space.images("data/digits/held-out", "").remove(0);
    let held_out_name = held_out.strip_prefix(space.path(".")).unwrap_or(&held_out).to_string_lossy().into_owned();
    space.write("data/digits/calibration/a-copy.png", fs::read(&first).expect("read"));
    fs::copy(&first, &held_out).expect("copied");
    space.write("data/digits/calibration/b-blank.bmp", bmp(16, |_, _| 90));
    space.write("data/digits/calibration/c-tiny.bmp", bmp(4, |x, y| x * 60 + y * 4));
    let run = space.axzoo("build digits").expect_code(0);
    for expected in [
        "calibration images 1 is a copy of another: `data/digits/calibration/a-copy.png`",
        "1 is blank: `data/digits/calibration/b-blank.bmp`",
        "1 is smaller than half of the network's 16x16: `data/digits/calibration/c-tiny.bmp`",
        "warning[images/held-out]: of ",
        held_out_name.trim_start_matches("./"),
    ] {
        assert!(run.stderr.contains(expected), "`{expected}` is not in\n{}", run.stderr);
    }
    assert_eq!(run.stderr.matches("warning[images/").count(), 4, "{}", run.stderr);

    // The report has the same, by number, and no name of this machine.
    let report: Value = serde_json::from_str(&space.read("build/digits/digits/quantized/report.json")).expect("JSON");
    let findings = report["images"]["findings"].as_array().expect("a list");
    let codes: Vec<&str> = findings.iter().filter_map(|finding| finding["code"].as_str()).collect();
    assert_eq!(codes, ["images/duplicate", "images/held-out", "images/blank", "images/small"]);
    assert!(findings[0]["images"][0].as_str().is_some_and(|role| role.starts_with("calibration/0")), "{findings:?}");
    assert!(space.read("build/digits/digits/quantized/report.txt").contains("warning[images/blank]: "));

    // Nothing to do: nothing to say.
    assert!(!space.axzoo("build digits").expect_code(0).stderr.contains("warning[images/"));
}

#[test]
fn a_preprocess_that_scales_wrongly_is_noticed() {
    let space = Space::only("digits");
    space.edit(&space.path("pipeline-template/grey-digits.yaml"), "torch-totensor:", "torch-totensor: {scale: false}");
    let run = space.axzoo("build digits --format json").expect_code(0);
    let warning = run.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let warning = warning.into_iter().find(|event| event["code"] == "images/scale").expect("a warning");
    let message = warning["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("after `normalize` the mean of a channel is "), "{message}");
    assert_eq!((warning["event"].as_str(), warning["severity"].as_str()), (Some("diagnostic"), Some("warning")));
}

#[test]
fn a_corrupt_image_is_named_and_refused() {
    let space = Space::only("digits");
    let first = space.images("data/digits/calibration", "").remove(0);
    let whole = fs::read(&first).expect("read");
    fs::write(&first, &whole[..whole.len() / 2]).expect("written");
    let run = space.axzoo("build digits").expect_code(1);
    let name = first.file_name().expect("a name").to_string_lossy().into_owned();
    let expected = format!("calibration image `data/digits/calibration/{name}`: ");
    assert!(run.stderr.contains(&expected), "`{expected}` is not in\n{}", run.stderr);
}
