// SPDX-License-Identifier: BSL-1.0

#if __has_include(<Eigen/Core>)
#include "support/embedding_losses.hpp"

namespace support {

template void every_loss_agrees<double>(rankloss::directions);
template void every_loss_is_flat<double>(const embeddings<double>&);

}  // namespace support
#endif
