"""db: what is known of a recording: where its file stands, what is missing from it, what reviewers said.

The sound itself lies in the data folder; here are its names, lengths and digests.
"""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base


class Recording(Base):
    """What was recorded of one leg of a call, and where it stands on its way into the archive."""

    __tablename__ = "recordings"

    id: Mapped[int] = mapped_column(primary_key=True)
    call_id: Mapped[str] = mapped_column(index=True)
    #: whose side, e.g. "caller"
    leg: Mapped[str]
    #: file below spool/
    raw_name: Mapped[str]
    #: file below recordings/, e.g. "2026/11/22/1763800000.12.ogg"
    archive_name: Mapped[str | None]
    #: file below recordings/
    peaks_name: Mapped[str | None]
    #: recording, waiting, archived, missing, faulty
    state: Mapped[str] = mapped_column(index=True)
    starts_at: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime | None]
    #: length of the archive, seconds
    duration_for: Mapped[float | None]
    #: of the archive file, lower-case hex
    sha256: Mapped[str | None]
    #: loudness of the caller's channel, dB below full scale (negative)
    caller_dbfs: Mapped[float | None]
    #: loudness of the others' channel, dB below full scale (negative)
    others_dbfs: Mapped[float | None]
    #: why it is missing or faulty, in words
    fault: Mapped[str | None]


class RecordingGap(Base):
    """A stretch that is missing from a recording, and why."""

    __tablename__ = "recording_gaps"

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id"), index=True)
    #: seconds from the recording's start
    from_s: Mapped[float]
    #: seconds from the recording's start
    to_s: Mapped[float]
    why: Mapped[str]


class RecordingComment(Base):
    """What a reviewer says about a second of a recording; never changed."""

    __tablename__ = "recording_comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id"), index=True)
    #: seconds from the recording's start
    at_s: Mapped[float]
    at: Mapped[datetime]
    #: a user's name
    who: Mapped[str]
    text: Mapped[str]
