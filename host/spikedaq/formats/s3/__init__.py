"""Files in S3 buckets: read in ranges, as they are needed, and put there whole."""

from spikedaq.formats.s3.access import Access, translated
from spikedaq.formats.s3.path import S3Path, is_url, parse_url, place_of, read_range
from spikedaq.formats.s3.transfer import fetched, folder_sent_whole, sent_whole, there

__all__ = [
    "Access",
    "S3Path",
    "fetched",
    "folder_sent_whole",
    "is_url",
    "parse_url",
    "place_of",
    "read_range",
    "sent_whole",
    "there",
    "translated",
]
