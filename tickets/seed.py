"""tickets ◆ What a new house begins with: three services with their forms, categories with their question scripts, and
agencies. Pure: data. The admin changes all of it, without a release.

The questions are asked on the telephone, so they are few, short and in Indonesian; the required ones are those without
whose answer nobody can be sent, and nobody can say that it is true.
"""

from datetime import UTC, datetime
from typing import Any

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

#: Menus lead here: every topic of the voice menu must be one of the emergency service's.
SERVICES: list[dict[str, Any]] = [
    {
        "code": "emergency", "name": "Darurat 112", "prefix": "", "form_version": None,
        "topics": ["fire", "medical", "police", "disaster", "social", "information"],
        "accept_for": 300.0, "handle_for": 1800.0,
    },
    {
        "code": "elder", "name": "Lansia Sebatang Kara", "prefix": "L-", "form_version": 1,
        "topics": ["social", "health"], "accept_for": 3600.0, "handle_for": 4 * 3600.0,
    },
    {
        "code": "social-welfare", "name": "Kesejahteraan Sosial", "prefix": "S-", "form_version": 1,
        "topics": ["social", "health", "housing"], "accept_for": 3600.0, "handle_for": 4 * 3600.0,
    },
]  # fmt: skip

_PERSON: dict[str, Any] = {
    "name": {"type": "string", "title": "Nama", "minLength": 1, "maxLength": 100},
    "address": {"type": "string", "title": "Alamat", "minLength": 1, "maxLength": 500},
    "job": {"type": "string", "title": "Pekerjaan", "maxLength": 100},
    "family_members": {"type": "integer", "title": "Jumlah anggota keluarga", "minimum": 0, "maximum": 50},
}
_BEGINNING = datetime(2026, 11, 1, tzinfo=UTC)

FORMS: list[dict[str, Any]] = [
    {
        "service": "elder", "version": 1, "at": _BEGINNING,
        "schema": {
            "$schema": _DRAFT, "title": "Lansia sebatang kara", "type": "object", "additionalProperties": False,
            "properties": _PERSON | {
                "dwelling_photo": {"type": "integer", "title": "Foto tempat tinggal", "x-attachment": "image/"},
            },
            "required": ["name", "address", "family_members"],
        },
    },
    {
        "service": "social-welfare", "version": 1, "at": _BEGINNING,
        "schema": {
            "$schema": _DRAFT, "title": "Kesejahteraan sosial", "type": "object", "additionalProperties": False,
            "properties": _PERSON | {
                "aid": {"type": "string", "title": "Bantuan yang sudah diterima", "maxLength": 500},
            },
            "required": ["name", "address"],
        },
    },
]  # fmt: skip

#: code, service, topic, name, questions: (key, text, required)
_CATEGORIES: list[tuple[str, str, str, str, list[tuple[str, str, bool]]]] = [
    ("house-fire", "emergency", "fire", "Kebakaran rumah atau bangunan", [
        ("burning", "Apa yang terbakar?", True),
        ("trapped", "Apakah ada orang yang terjebak? Berapa?", True),
        ("injured", "Apakah ada yang terluka?", False),
        ("spreading", "Apakah api merambat ke bangunan lain?", False),
        ("access", "Apakah jalan ke lokasi bisa dilewati mobil pemadam?", False),
    ]),
    ("land-fire", "emergency", "fire", "Kebakaran lahan atau hutan", [
        ("burning", "Lahan apa yang terbakar, seberapa luas?", True),
        ("houses_near", "Seberapa dekat api dengan rumah warga?", True),
        ("wind", "Ke arah mana angin bertiup?", False),
    ]),
    ("traffic-accident", "emergency", "medical", "Kecelakaan lalu lintas", [
        ("vehicles", "Kendaraan apa saja yang terlibat?", True),
        ("injured", "Berapa orang yang terluka? Apakah mereka sadar?", True),
        ("trapped", "Apakah ada yang terjepit?", False),
        ("road_blocked", "Apakah jalan tertutup?", False),
        ("spill", "Apakah ada bahan bakar tumpah atau api?", False),
    ]),
    ("sick-person", "emergency", "medical", "Orang sakit", [
        ("conscious", "Apakah orangnya sadar?", True),
        ("breathing", "Apakah napasnya normal?", True),
        ("complaint", "Apa keluhannya, sejak kapan?", True),
        ("age", "Berapa usianya?", False),
        ("history", "Apakah ada penyakit sebelumnya atau obat yang diminum?", False),
    ]),
    ("high-risk-pregnancy", "emergency", "medical", "Kehamilan berisiko tinggi", [
        ("weeks", "Usia kehamilan berapa minggu?", True),
        ("danger_signs", "Apakah ada perdarahan, kejang, pusing berat, atau ketuban pecah?", True),
        ("contractions", "Apakah sudah mulas? Berapa menit sekali?", False),
        ("place_of_care", "Biasanya periksa di mana?", False),
        ("transport", "Apakah ada kendaraan di lokasi?", False),
    ]),
    ("crime", "emergency", "police", "Kejahatan", [
        ("what", "Apa yang terjadi, dan kapan?", True),
        ("suspect_there", "Apakah pelaku masih di tempat?", True),
        ("weapon", "Apakah pelaku membawa senjata?", False),
        ("injured", "Apakah ada yang terluka?", False),
        ("description", "Bagaimana ciri pelaku dan kendaraannya?", False),
    ]),
    ("flood", "emergency", "disaster", "Banjir", [
        ("depth", "Setinggi apa airnya, dan apakah masih naik?", True),
        ("people", "Berapa orang yang perlu dievakuasi?", True),
        ("vulnerable", "Apakah ada lansia, bayi, ibu hamil, atau orang sakit?", False),
        ("current", "Apakah arusnya deras?", False),
    ]),
    ("landslide", "emergency", "disaster", "Tanah longsor", [
        ("buried", "Apakah ada orang atau rumah yang tertimbun?", True),
        ("road_blocked", "Apakah jalan tertutup?", True),
        ("moving", "Apakah tanah masih bergerak?", False),
    ]),
    ("elder-neglect", "elder", "social", "Lansia terlantar", [
        ("alone", "Apakah beliau tinggal sendiri? Sejak kapan?", True),
        ("eating", "Apakah beliau makan setiap hari? Siapa yang membantu?", True),
        ("health", "Bagaimana kesehatannya, apakah bisa berjalan?", False),
        ("dwelling", "Bagaimana keadaan tempat tinggalnya?", False),
    ]),
    ("elder-illness", "elder", "health", "Lansia sakit di rumah", [
        ("complaint", "Apa keluhannya, sejak kapan?", True),
        ("cared_for", "Siapa yang merawat?", True),
        ("insurance", "Apakah ada kartu jaminan kesehatan?", False),
    ]),
    ("poor-family", "social-welfare", "social", "Keluarga yang membutuhkan bantuan", [
        ("need", "Bantuan apa yang paling dibutuhkan?", True),
        ("income", "Apa penghasilan keluarga saat ini?", True),
        ("children", "Apakah ada anak yang putus sekolah?", False),
    ]),
    ("health-insurance", "social-welfare", "health", "Jaminan kesehatan", [
        ("need", "Layanan kesehatan apa yang dibutuhkan?", True),
        ("card", "Apakah punya kartu jaminan kesehatan, masih aktif?", True),
        ("treated_at", "Dirawat di mana?", False),
    ]),
    ("unfit-housing", "social-welfare", "housing", "Rumah tidak layak huni", [
        ("damage", "Bagian rumah mana yang rusak?", True),
        ("owner", "Rumah dan tanahnya milik siapa?", True),
        ("people", "Berapa orang yang tinggal di sana?", False),
    ]),
]  # fmt: skip

CATEGORIES: list[dict[str, Any]] = [
    {
        "code": code, "service": service, "topic": topic, "name": name,
        "script": {"questions": [{"key": key, "text": text, "required": needed} for key, text, needed in questions]},
    }
    for code, service, topic, name, questions in _CATEGORIES
]  # fmt: skip

#: beside those that the roster's seed brings; each is proposed for its topics
AGENCIES: list[dict[str, Any]] = [
    {"code": "ambulans118", "name": "Ambulans 118", "topics": ["medical"]},
    {"code": "dinkes", "name": "Dinas Kesehatan", "topics": ["health"]},
    {"code": "perkim", "name": "Dinas Perumahan dan Permukiman", "topics": ["housing"]},
]
