"""Progress: recent speed, time left, and a line short enough for a terminal."""

import fcntl
import io
import os
import pty
import re
import struct
import termios

from genlab.track.progress import Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


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
    assert stream.getvalue().splitlines()[-2:] == ["saved", "step 400/1000 20.0 steps/s 12.8k images/s in 00:19"]


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
    assert stream.getvalue().splitlines()[-1] == "step 90051/100000 10.0 steps/s 6.40k images/s ETA 16:34"


def test_headlines_keep_their_last_values():
    progress, clock, stream = make()
    progress.update(1, {"critic/loss": -1.23456, "generator/loss": float("nan"), "critic/slope_mean": 1.0})
    progress.update(2, None)
    progress.update(3, {"critic/loss": 7.0})
    progress.close()
    assert stream.getvalue().splitlines()[-1].endswith(" critic 7 generator nan")


def test_the_bar_fits_eighty_columns_and_messages_stand_above_it():
    control, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    shown = []
    with open(terminal, "w", encoding="utf-8") as stream:
        progress, clock, _ = make(stream, total=200_000, initial=100_000)
        for _ in range(10):
            clock.now += 0.25
            progress.update(progress.step + 100, {"critic/loss": -12.3456, "generator/loss": 1.5})
            shown.append(os.read(control, 65536))
        progress.message("saved checkpoint")
        progress.close()
        shown.append(os.read(control, 65536))
    os.close(control)
    text = re.sub(r"\x1b\[[0-9]*[A-Z]", "", b"".join(shown).decode())
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    assert max(map(len, lines)) < 80
    assert "saved checkpoint" in lines
    last = r"101000/200000 \|.*\| 400 steps/s 256k images/s in 00:02 critic -12.3 generator 1.5"
    assert re.fullmatch(last, lines[-2])
