"""tickets ◆ What is said of something that cannot be written: which field, and why. Pure."""


class Refused(ValueError):
    """Nothing was written. `field` is the one that is to be mended, dotted: "form.name"; `reason` is for the person
    who sent it and never repeats what was sent."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason
