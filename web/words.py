"""web ◆ The words of the pages, Indonesian and English. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """One language of the status page."""

    code: str
    title: str
    question: str
    headline: dict[str, str]        #: by `pages.Answer`
    explained: dict[str, str]       #: by `pages.Answer`
    on_shift: str
    ready: str
    talking: str
    waiting: str
    longest_wait: str
    nobody_waits: str
    seats: str
    no_seats: str
    seat: dict[str, str]            #: by kind of seat
    all_well: str
    look_at: str
    checks: dict[str, str]          #: by name of the check
    refreshed: str
    other: tuple[str, str]          #: address and name of the other language


ID = Words(
    code="id",
    title="Layanan Darurat 112",
    question="Apakah ada yang menjawab?",
    headline={
        "yes": "Ya, ada yang menjawab.",
        "busy": "Semua petugas sedang melayani.",
        "nobody": "Belum ada petugas yang siap.",
        "cut": "Sentral telepon tidak terhubung.",
    },
    explained={
        "yes": "Panggilan berikutnya langsung disambungkan.",
        "busy": "Panggilan berikutnya menunggu dalam antrean.",
        "nobody": "Pemanggil menunggu sampai ada petugas yang masuk.",
        "cut": "Panggilan baru langsung diteruskan ke telepon petugas.",
    },
    on_shift="petugas bertugas",
    ready="siap menerima",
    talking="sedang bicara",
    waiting="menunggu",
    longest_wait="terlama",
    nobody_waits="tidak ada antrean",
    seats="Meja petugas",
    no_seats="Tidak ada petugas dalam jadwal saat ini.",
    seat={"free": "siap", "ringing": "berdering", "talking": "bicara", "wrap_up": "melengkapi laporan",
          "paused": "jeda", "away": "tidak terhubung"},
    all_well="Semua sistem berjalan baik.",
    look_at="Perlu perhatian:",
    checks={"asterisk": "sentral telepon", "database": "basis data", "journal": "buku catatan panggilan",
            "prompts": "suara sapaan", "disk": "ruang penyimpanan", "menu": "menu suara",
            "recordings": "rekaman"},
    refreshed="Diperbarui setiap 5 detik",
    other=("/?lang=en", "English"),
)

EN = Words(
    code="en",
    title="Emergency Service 112",
    question="Is anybody answering?",
    headline={
        "yes": "Yes, somebody answers.",
        "busy": "Every operator is busy.",
        "nobody": "No operator is ready.",
        "cut": "The telephone exchange is cut off.",
    },
    explained={
        "yes": "The next call is put through at once.",
        "busy": "The next call waits in the queue.",
        "nobody": "Callers wait until an operator comes.",
        "cut": "New calls go straight to the operators' phones.",
    },
    on_shift="operators on shift",
    ready="ready",
    talking="talking",
    waiting="waiting",
    longest_wait="longest",
    nobody_waits="nobody in the queue",
    seats="Desks",
    no_seats="Nobody is on the roster at this hour.",
    seat={"free": "ready", "ringing": "ringing", "talking": "talking", "wrap_up": "finishing the form",
          "paused": "paused", "away": "not connected"},
    all_well="All systems are well.",
    look_at="Needs a look:",
    checks={"asterisk": "telephone exchange", "database": "database", "journal": "journal of calls",
            "prompts": "spoken prompts", "disk": "disk space", "menu": "voice menu",
            "recordings": "recordings"},
    refreshed="Refreshed every 5 seconds",
    other=("/", "Bahasa Indonesia"),
)

#: What callers and operators call a topic, for agencies.
TOPICS = {
    "fire": "Kebakaran", "medical": "Medis", "police": "Keamanan", "disaster": "Bencana alam", "social": "Sosial",
    "health": "Kesehatan", "housing": "Perumahan",
    "information": "Informasi", "any": "Belum ditentukan",
}
