"""Where examples come from, and how they reach the compiled step."""

from genlab.data.config import Data as Data
from genlab.data.feed import Batch as Batch
from genlab.data.feed import Feed as Feed
from genlab.data.feed import make_feed as make_feed
from genlab.data.feed import to_float as to_float
from genlab.data.feed import to_uint8 as to_uint8
from genlab.data.sources import load as load
from genlab.data.splits import Dataset as Dataset
from genlab.data.splits import Examples as Examples
from genlab.data.splits import Split as Split
from genlab.data.toys import DEVIATION as DEVIATION
from genlab.data.toys import centres as centres
from genlab.data.toys import points as points
