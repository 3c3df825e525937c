"""The room where everything meets: one live call, its story, its legs, its journal."""
