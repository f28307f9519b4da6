"""Goals in worlds, as Gymnasium environments. Importing this registers their ids; nothing is loaded until one is made."""

from envs.env import ToolEnv
from envs.registration import make_env, make_vector, register_envs
from envs.reward import Reward, RewardFunction
from envs.spaces import CallSpace, UnicodeSpace
from envs.vector import ToolVectorEnv
from envs.worlds import Worlds, worlds_of

register_envs()

__all__ = [
    "CallSpace",
    "Reward",
    "RewardFunction",
    "ToolEnv",
    "ToolVectorEnv",
    "UnicodeSpace",
    "Worlds",
    "make_env",
    "make_vector",
    "register_envs",
    "worlds_of",
]
