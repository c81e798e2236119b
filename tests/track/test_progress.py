"""Progress: recent speed, time left, and a line short enough for a terminal."""

import io
import re

from genlab.track.progress import Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def make(stream=None, total=1000, initial=0):
    clock, stream = Clock(), stream or io.StringIO()
    headline = ("critic/loss", "generator/loss")
    return Progress(total, initial, 640, headline, stream=stream, clock=clock), clock, stream


def run(progress, clock, steps, seconds):
    """Update once a step, evenly."""
    for _ in range(steps):
        clock.now += seconds / steps
        progress.update(progress.step + 1)


def test_plain_lines_come_at_once_then_every_five_seconds_then_at_the_end():
    progress, clock, stream = make()
    assert stream.getvalue() == "step 0/1000 starting\n"
    run(progress, clock, 100, 4.9)
    assert stream.getvalue().count("\n") == 1
    run(progress, clock, 300, 15.0)
    assert stream.getvalue().count("\n") == 4
    progress.message("saved")
    progress.close()
    assert stream.getvalue().splitlines()[-2:] == ["saved", "step 400/1000 20.0 it/s 12.8k img/s in 00:19"]


def test_speed_leaves_out_compilation_and_forgets():
    progress, clock, _ = make()
    clock.now += 60.0  # compiling
    progress.update(10)
    assert progress.speed() is None
    run(progress, clock, 100, 10.0)
    assert abs(progress.speed() - 10.0) < 1e-6
    run(progress, clock, 300, 11.0)  # the average since the start would be near 19
    assert abs(progress.speed() - 300 / 11.0) < 0.2


def test_speed_of_bursts_is_that_of_the_device():
    progress, clock, _ = make()
    for burst in range(1, 21):  # 50 steps are dispatched at once, then one waits a second for the device
        clock.now += 1.0
        for step in range(50):
            progress.update(50 * burst + step)
    assert abs(progress.speed() - 50.0) < 5.0


def test_slow_steps_have_a_speed():
    progress, clock, _ = make()
    run(progress, clock, 5, 200.0)
    assert abs(progress.speed() - 0.025) < 1e-9


def test_time_left_after_a_resume_counts_only_what_is_left():
    progress, clock, stream = make(total=100_000, initial=90_000)
    run(progress, clock, 100, 10.0)
    assert stream.getvalue().splitlines()[-1] == "step 90051/100000 10.0 it/s 6.40k img/s 16:34 left"


def test_headlines_keep_their_last_values():
    progress, clock, stream = make()
    progress.update(1, {"critic/loss": -1.23456, "generator/loss": float("nan"), "critic/slope_mean": 1.0})
    progress.update(2, None)
    progress.update(3, {"critic/loss": 7.0})
    progress.close()
    assert stream.getvalue().splitlines()[-1].endswith(" critic 7 generator nan")


def test_the_bar_fits_eighty_columns_and_messages_stand_above_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    progress, clock, stream = make(Terminal(), total=200_000, initial=100_000)
    for _ in range(100):
        clock.now += 0.3
        progress.update(progress.step + 100, {"critic/loss": -12.3456, "generator/loss": 1234.5})
    progress.message("saved checkpoint")
    progress.close()
    text = re.sub(r"\x1b\[[0-9]*[A-Z]", "", stream.getvalue())
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    assert max(map(len, lines)) <= 80
    assert "saved checkpoint" in lines
    bar = next(line for line in reversed(lines) if line)
    assert re.fullmatch(r"110000/200000 \|.*\| 333 it/s 213k img/s in 00:30 critic -12.3 generator 1.2.*", bar)
