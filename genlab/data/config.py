"""What to train on, as the user types it."""

from dataclasses import dataclass, replace

from genlab.errors import Invalid

TOYS = ("8gaussians", "25gaussians", "swissroll")
ALLOWED = f"digits, points:{'|'.join(TOYS)}, tfds:<name>, folder:<path> and npz:<path> are allowed"

LARGEST = 64  # side of images that are resized, and pixels by which one is cropped


@dataclass(frozen=True)
class Data:
    """The training data. Raises `Invalid` for a value that is not allowed."""

    name: str = "digits"
    """digits, points:8gaussians|25gaussians|swissroll, tfds:<name>, folder:<path> or npz:<path>. Where training
    images have no values but 0 and 1, as in tfds:binarized_mnist, these are read as black and white."""
    dir: str | None = None
    """Where TFDS sets live (default: TFDS's own place); also the base of a relative folder: or npz: path."""
    batch_size: int = 128
    """Examples per play, over all devices together."""
    image_size: int | None = None
    """Side of the square images, 8 to 64, resized and centre-cropped. Default: the set's own size; folder: needs it."""
    dequantise: bool = False
    """Add uniform noise of one grey level to the images."""
    binarise: bool = False
    """Make a pixel 1 with the probability that is its grey level, else 0, afresh every time it is read."""
    flip: bool = False
    """Mirror every image with probability one half."""
    crop: int = 0
    """Crop every training image at random after padding it with its mirror image by so many pixels."""
    validation: float = 0.1
    """Share of the training images held out for validation, where the source has no such split of its own."""
    test: float = 0.1
    """Share of the training images held out for testing, where the source has no such split of its own."""
    resident_mb: int = 1024
    """Training splits of up to this many MiB live on the device, larger ones stream from the host."""

    def __post_init__(self):
        allowed = {"digits": not self.place, "points": self.place in TOYS} | dict.fromkeys(
            ("tfds", "folder", "npz"), bool(self.place)
        )
        if not allowed.get(self.kind, False):
            raise Invalid(f"data.name: {self.name}; {ALLOWED}")
        if self.batch_size < 1:
            raise Invalid(f"data.batch_size: {self.batch_size}; 1 or more is allowed")
        if self.resident_mb < 0:
            raise Invalid(f"data.resident_mb: {self.resident_mb}; 0 or more is allowed")
        for field, share in (("validation", self.validation), ("test", self.test)):
            if not 0 <= share < 1:
                raise Invalid(f"data.{field}: {share}; from 0 to less than 1 is allowed")
        if self.validation + self.test >= 1:
            raise Invalid(f"data.validation: {self.validation}; less than 1 together with data.test is allowed")
        self._check_images()

    def _check_images(self):
        if self.image_size is not None and not 8 <= self.image_size <= LARGEST:
            raise Invalid(f"data.image_size: {self.image_size}; 8 to {LARGEST} is allowed")
        if self.kind == "folder" and self.image_size is None:
            raise Invalid("data.image_size: None; a folder needs one from 8 to 64")
        if not 0 <= self.crop <= LARGEST:
            raise Invalid(f"data.crop: {self.crop}; 0 to {LARGEST} is allowed")
        if self.dequantise and self.binarise:
            raise Invalid(
                "data.binarise: True; is allowed without data.dequantise only: two values have no grey levels"
            )
        if self.kind == "points":
            for field in ("image_size", "dequantise", "binarise", "flip", "crop"):
                if getattr(self, field):
                    raise Invalid(f"data.{field}: {getattr(self, field)}; is allowed for images only, not {self.name}")

    @property
    def unaugmented(self) -> "Data":
        """The same data as they are looked at outside training, where no image is mirrored or cropped."""
        return replace(self, flip=False, crop=0)

    @property
    def kind(self) -> str:
        """The source: what stands before the colon of `name`."""
        return self.name.partition(":")[0]

    @property
    def place(self) -> str:
        """Which set of its source: what stands behind the colon of `name`."""
        return self.name.partition(":")[2]
